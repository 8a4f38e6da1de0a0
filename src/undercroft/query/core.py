"""SQLAlchemy Core over collections: their tables, and statements that others wrote made ready to run.

    select(tables.articles.c.title).where(tables.articles.c.views > 100)

Every value of a statement is bound, whatever it says; the dialect spells the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import BindParameter, Column, Executable, MetaData, Select, Table, bindparam, literal_column, select
from sqlalchemy.sql import ClauseElement, operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, ClauseList, False_, True_
from sqlalchemy.sql.selectable import CompoundSelect

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.dialect import ColumnKind, Dialect, Kind
from undercroft.database.engine import Row, Value
from undercroft.dates import render_date
from undercroft.errors import did_you_mean

_SINGLE: Final = (str, int, float, bytes)


class Tables:
    """The tables of the collections there are, by name: `tables.articles`, or `tables["articles"]` for any name."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def __getattr__(self, name: str) -> Table:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(*error.args) from None

    def __getitem__(self, name: str) -> Table:
        collection = self._catalog.by_name(name)
        if collection is None:
            known = [each.name for each in self._catalog]
            raise KeyError(f"There is no collection {name!r}.{did_you_mean(name, known)}")
        return table_of(collection)


def table_of(collection: Collection) -> Table:
    """The table of a collection; made once."""
    known: Table | None = collection.__dict__.get("_core_table")
    if known is None:
        hidden = collection.sealed_names
        columns = (
            Column(f.name, Kind("bytes" if f.name in hidden else f.column), primary_key=f.name == "id")
            for f in collection.fields
        )
        known = collection.__dict__["_core_table"] = Table(
            collection.name, MetaData(), *columns, implicit_returning=False
        )
    return known


@dataclass(frozen=True, slots=True)
class Ready:
    """A statement as an engine takes it, and how its rows are read; `is_read` says that it changes nothing."""

    sql: str
    values: Sequence[Value]
    columns: Sequence[tuple[str, ColumnKind | None]]
    is_read: bool

    def read(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The rows by the names of their columns, lists and JSON as what they hold."""
        return [
            {name: _shown(kind, value) for (name, kind), value in zip(self.columns, row, strict=True)} for row in rows
        ]


def make_ready(statement: Executable, dialect: Dialect, values: Mapping[str, Any] | None = None) -> Ready:
    """A statement of SQLAlchemy Core made ready to run; `values` are for its named binds."""
    if not isinstance(statement, ClauseElement):
        raise TypeError(f"{type(statement).__name__} is no statement of SQLAlchemy Core.")
    binder = _Binder(values or {})
    rewritten: Any = visitors.replacement_traverse(statement, {}, binder.replace)
    sql, names = dialect.render(rewritten)
    is_read = isinstance(statement, Select | CompoundSelect)
    returned = getattr(statement, "selected_columns", ()) if is_read else getattr(statement, "exported_columns", ())
    columns = [(str(column.key), column.type.kind if isinstance(column.type, Kind) else None) for column in returned]
    return Ready(sql, [binder.bound[name] for name in names], columns, is_read)


class _Binder:
    """Takes the values out of a statement, and leaves binds in their places."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.bound: dict[str, Value] = {}
        self._values = values

    def replace(self, element: Any, **_: Any) -> Any:
        """What stands in place of a part of the statement; None leaves it."""
        _refuse_encrypted(element)
        if isinstance(element, BinaryExpression) and isinstance(element.right, True_ | False_):
            return self._compare_truth(element)
        if not isinstance(element, BindParameter):
            return None
        value = self._values[element.key] if element.required else element.effective_value
        if not element.expanding:
            return self._bind(value, element.type)
        if not value:
            return select(self._bind(None, element.type)).where(literal_column("1 = 0")).scalar_subquery()
        return ClauseList(*(self._bind(each, element.type) for each in value)).self_group()

    def _compare_truth(self, element: BinaryExpression[Any]) -> Any:
        """`column == True`, or `column.is_(True)`, with the truth bound."""
        left: Any = visitors.replacement_traverse(element.left, {}, self.replace)
        truth = self._bind(isinstance(element.right, True_), Kind("bool"))
        return left != truth if element.operator in (operators.ne, operators.is_not) else left == truth

    def _bind(self, value: Any, kind: Any) -> Any:
        name = f"v{len(self.bound)}"
        self.bound[name] = plain_value(value)
        return bindparam(name, type_=kind if isinstance(kind, Kind) else Kind(_kind_of(value)))


def _refuse_encrypted(element: Any) -> None:
    if isinstance(element, Column) and isinstance(element.type, Kind) and element.type.kind == "bytes":
        name = f"{element.name!r} of {element.table.name!r}"
        raise TypeError(f"{name} is encrypted, and no statement sees its values: read and write it through records.")


def plain_value(value: Any) -> Value:
    """A Python value as columns hold it: moments as text, lists and JSON as JSON."""
    if value is None or isinstance(value, _SINGLE):
        return int(value) if isinstance(value, bool) else value
    if isinstance(value, datetime):
        return render_date(value)
    return msgspec.json.encode(value).decode()


def _kind_of(value: Any) -> ColumnKind:
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | float) else "text"


def _shown(kind: ColumnKind | None, value: Value) -> Any:
    if kind == "bool":
        return bool(value)
    if kind in ("list", "json", "geo") and isinstance(value, str):
        return msgspec.json.decode(value) if value else None
    return value
