"""From SQLite's words to PostgreSQL's, for queries of views and expressions of indexes.

Import it late: the parser is large. Names get the letters they were made with, because
SQLite takes them in any case; columns of dates and flags are compared as SQLite would.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from undercroft.database.dialect import ColumnKind, Names
from undercroft.database.postgresql_compiler import quote_name

_COMPARISONS: Final = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_BOOLS: Final = {"BOOL", "BOOLEAN"}


def translate(query: str, names: Names) -> str:
    """A query for PostgreSQL; as it is when it cannot be read, for PostgreSQL to say why."""
    try:
        tree = sqlglot.parse_one(query, read="sqlite")
    except (SqlglotError, RecursionError):
        return query
    kinds = {column: kind for columns in names.values() for column, kind in columns.items()}
    _spell_names(tree, {name.lower(): name for name in names} | {name.lower(): name for name in kinds})
    return _adapted(tree, kinds).sql(dialect="postgres", identify=True)


def translate_expression(text: str, columns: Mapping[str, ColumnKind]) -> str:
    """An expression over the columns of one table for PostgreSQL."""
    try:
        tree = sqlglot.parse_one(text, read="sqlite")
    except (SqlglotError, RecursionError):
        return text
    _spell_names(tree, {name.lower(): name for name in columns})
    return _adapted(tree, columns).sql(dialect="postgres", identify=True)


def _spell_names(tree: exp.Expr, known: Mapping[str, str]) -> None:
    own = {alias.alias.lower(): alias.alias for alias in tree.find_all(exp.Alias, exp.TableAlias) if alias.alias}
    for name in list(tree.find_all(exp.Identifier)):
        text = str(name.this)
        if text not in known.values() and text not in own.values():
            text = own.get(text.lower()) or known.get(text.lower(), text)
        name.set("this", quote_name(text)[1:-1].replace('""', '"'))
        name.set("quoted", True)


def _adapted(tree: exp.Expr, kinds: Mapping[str, ColumnKind]) -> exp.Expr:
    for node in list(tree.find_all(*_COMPARISONS, exp.Like)):
        for side, other in ((node.this, node.expression), (node.expression, node.this)):
            if _kind(side, kinds) == "date" and other.is_string:
                side.replace(exp.Anonymous(this="undercroft.date_text", expressions=[side.copy()]))
    for call in list(tree.find_all(exp.Cast)):
        if call.to.sql(dialect="sqlite").upper() in _BOOLS:
            call.replace(exp.Anonymous(this="undercroft.any_bool", expressions=[call.this.copy()]))
    return tree


def _kind(node: exp.Expr, kinds: Mapping[str, ColumnKind]) -> ColumnKind | None:
    return kinds.get(node.name) if isinstance(node, exp.Column) else None
