"""From SQLite's words to PostgreSQL's, for queries of views and expressions of indexes.

Import it late: the parser is large. Names get the letters they were made with, because
SQLite takes them in any case; dates beside texts are compared as texts. A query that
shows rows of a table shows their hidden insertion order as well, for SQLite answers in
that order where none is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from undercroft.database.dialect import ColumnKind, Names
from undercroft.database.postgresql_compiler import stored_name

ROW_ID: Final = "_rowid_"
_COMPARISONS: Final = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like)
_BOOLS: Final = {"BOOL", "BOOLEAN"}
_SYSTEM: Final = ("_collections", "_params", "_changes")


def translate(query: str, names: Names) -> str:
    """A query for PostgreSQL; as it is when it cannot be read, for PostgreSQL to say why."""
    try:
        tree = sqlglot.parse_one(query, read="sqlite")
    except (SqlglotError, RecursionError):
        return query
    kinds = {column: kind for columns in names.values() for column, kind in columns.items()}
    tables = {name.lower() for name in names} | set(_SYSTEM)
    for select in list(tree.find_all(exp.Select)):
        _order_rows(select, tables, is_outer=select is tree)
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


def _order_rows(select: exp.Select, tables: set[str], *, is_outer: bool) -> None:
    """Say what SQLite does unasked: rows come as they were inserted, groups by their keys."""
    keys = select.args["group"].expressions if select.args.get("group") else []
    row_id = None if keys or select.args.get("distinct") or _aggregates(select) else _row_id(select, tables)
    order = [key.copy() for key in keys] or ([row_id] if row_id else [])
    for window in select.find_all(exp.Window):
        if window.parent_select is select and not window.args.get("order") and order:
            window.set("order", exp.Order(expressions=[part.copy() for part in order]))
    if select.args.get("limit") and row_id:
        select.order_by(row_id.copy(), copy=False)
    if is_outer:
        shown = row_id or exp.cast(exp.null(), "bigint")
        select.select(exp.alias_(shown.copy(), ROW_ID, quoted=True), copy=False)


def _row_id(select: exp.Select, tables: set[str]) -> exp.Column | None:
    start = select.args.get("from_")
    table = start.this if start else None
    if not isinstance(table, exp.Table) or table.name.lower() not in tables:
        return None
    return exp.column(ROW_ID, table=table.alias_or_name, quoted=True)


def _aggregates(select: exp.Select) -> bool:
    found = (call for item in select.expressions for call in item.find_all(exp.AggFunc, exp.Anonymous))
    return any(
        call.parent_select is select
        and not isinstance(call.parent, exp.Window)
        and (isinstance(call, exp.AggFunc) or call.name.lower() == "total")
        for call in found
    )


def _spell_names(tree: exp.Expr, known: Mapping[str, str]) -> None:
    own = {alias.alias.lower(): alias.alias for alias in tree.find_all(exp.Alias, exp.TableAlias) if alias.alias}
    for name in list(tree.find_all(exp.Identifier)):
        text = str(name.this)
        if text not in known.values() and text not in own.values():
            text = own.get(text.lower()) or known.get(text.lower(), text)
        name.set("this", stored_name(text))
        name.set("quoted", True)


def _adapted(tree: exp.Expr, kinds: Mapping[str, ColumnKind]) -> exp.Expr:
    for node in list(tree.find_all(*_COMPARISONS)):
        for side, other in ((node.this, node.expression), (node.expression, node.this)):
            if _kind(side, kinds) == "date" and other.is_string:
                side.replace(exp.Anonymous(this="undercroft.date_text", expressions=[side.copy()]))
    for call in list(tree.find_all(exp.Cast)):
        if call.to.sql(dialect="sqlite").upper() in _BOOLS:
            call.replace(exp.Anonymous(this="undercroft.any_bool", expressions=[call.this.copy()]))
    return tree


def _kind(node: exp.Expr, kinds: Mapping[str, ColumnKind]) -> ColumnKind | None:
    return kinds.get(node.name) if isinstance(node, exp.Column) else None
