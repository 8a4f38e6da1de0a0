"""Following renames in the query of a view. Import it late: the parser is large.

The text stays as its author wrote it, but for the names that changed. A column
that was shown under its own name is still shown under it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Renames:
    """A collection before and after, in the catalog before."""

    old: Collection
    new: Collection
    catalog: Catalog
    dialect: Dialect

    def column(self, name: str) -> str:
        """What a column of the old table is called now; the same name when it is not renamed."""
        field = self.old.field(name)
        now = self.new.by_id.get(field.id) if field else None
        return now.name if now else name


def follow(query: str, renames: Renames) -> str:
    """The query with the new names; as it is when it cannot be read."""
    try:
        scopes = traverse_scope(sqlglot.parse_one(query, read="sqlite"))
    except (SqlglotError, RecursionError):
        return query
    edits = {start: (end, text) for scope in scopes for start, end, text in _edits(scope, renames)}
    for start in sorted(edits, reverse=True):
        end, text = edits[start]
        query = query[:start] + text + query[end:]
    return query


def _edits(scope: Scope, renames: Renames) -> Iterator[tuple[int, int, str]]:
    """Where names change: from, to, and what stands there then."""
    if renames.old.name != renames.new.name:
        for table in scope.tables:
            if _is_old(scope.sources.get(table.alias_or_name), renames):
                yield _edit(table.this, renames.new.name, renames)
    for column in scope.columns:
        # A column of a subquery is met in the scopes around it too, where its name means something else.
        source = _source(scope, column, renames) if column.parent_select is scope.expression else None
        if source is None:
            continue
        if column.table and not source.alias and renames.old.name != renames.new.name:
            yield _edit(column.args["table"], renames.new.name, renames)
        now = renames.column(column.name)
        if now != column.name:
            start, end, text = _edit(column.this, now, renames)
            shown = f" AS {renames.dialect.quote(column.name)}" if isinstance(column.parent, exp.Select) else ""
            yield start, end, text + shown


def _source(scope: Scope | None, column: exp.Column, renames: Renames) -> exp.Table | None:
    """The mention of the old table that a column is of; None when it is of something else."""
    while scope is not None:
        named = [scope.sources.get(column.table)] if column.table else list(scope.sources.values())
        for source in named:
            if isinstance(source, Scope):
                if column.table or column.name in _outputs(source):
                    return None
            elif isinstance(source, exp.Table) and _has(source, column.name, renames):
                return source if _is_old(source, renames) else None
        scope = scope.parent
    return None


def _outputs(scope: Scope) -> list[str]:
    return scope.expression.named_selects if isinstance(scope.expression, exp.Query) else []


def _has(table: exp.Table, name: str, renames: Renames) -> bool:
    collection = renames.catalog.by_name(table.name)
    return collection is not None and collection.field(name) is not None


def _is_old(source: Any, renames: Renames) -> bool:
    return isinstance(source, exp.Table) and source.name.lower() == renames.old.name.lower()


def _edit(name: exp.Identifier, now: str, renames: Renames) -> tuple[int, int, str]:
    return name.meta["start"], name.meta["end"] + 1, renames.dialect.quote(now)
