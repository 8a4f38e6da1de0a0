"""Filter and sort over a plain list of columns, for what is no collection: collections themselves, logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import column, table
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import ClauseList
from sqlalchemy.sql.selectable import NamedFromClause

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.database.dialect import ColumnKind, Dialect, Kind
from undercroft.database.engine import Value
from undercroft.query.binds import Inputs
from undercroft.query.build import Build, Place
from undercroft.query.compiler import compile_node, filter_resolver
from undercroft.query.joins import Joins
from undercroft.query.parser import parse_filter
from undercroft.query.resolver import Resolver
from undercroft.query.scope import GUEST
from undercroft.query.sort import compile_sort, order_by, parse_sort


class FlatField(Field, frozen=True, kw_only=True):
    """A column of a list that is no collection."""

    kind: ColumnKind

    @property
    def column(self) -> ColumnKind:
        return self.kind


def compile_flat(
    filter_text: str, sort_text: str, columns: Mapping[str, ColumnKind], dialect: Dialect
) -> tuple[str, Sequence[Value], str]:
    """The WHERE condition, all bound values, and the ORDER BY list; empty texts for what was not asked.

    The statement must call its table by the alias `r`. Raises `FilterError` and `SortError`.
    """
    fields = tuple(FlatField(name=name, kind=kind) for name, kind in columns.items())
    rows: NamedFromClause[Any] = table("r", *(column(name, Kind(kind)) for name, kind in columns.items())).alias("r")
    build = Build(Catalog(), dialect, GUEST, Joins(rows))
    place = Place(Collection(id="", name="this list", fields=fields), rows)
    where, names = "", list[str]()
    if filter_text:
        node, lexed = parse_filter(filter_text)
        where, names = _render(compile_node(node, Resolver(build, place, "", lexed.literals)), dialect)
    resolver = filter_resolver(build, place, is_trusted=True)
    keys = compile_sort(build, place, parse_sort(sort_text), resolver)
    parts = [order_by(operand, key) for operand, key in keys]
    order, more = _render(ClauseList(*parts), dialect, len(names)) if parts else ("", [])
    values = [build.binds.sources[name](Inputs(GUEST)) for name in (*names, *more)]
    return where, values, order


def _render(clause: ClauseElement, dialect: Dialect, after: int = 0) -> tuple[str, list[str]]:
    text, names = dialect.render(clause, after)
    return text, list(names)
