"""Records as the database keeps them: between rows and stored values.

These functions apply no rules; they are for the code that judges, not for callers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from undercroft.collections.collection import Collection
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Row, Value
from undercroft.query.scope import Identity
from undercroft.records.cipher import looked_up, open_row

Run = Callable[[str, Sequence[Value]], Awaitable[list[Row]]]
"""`Engine.read` or `Transaction.run`: both can find a record."""


async def from_row(run: Run, collection: Collection, row: Row) -> dict[str, Any]:
    """Stored values by field name, for a row with every column in field order; `run` finds keys that are not here."""
    opened = await open_row(run, collection, row)
    return {field.name: field.from_column(value) for field, value in zip(collection.fields, opened, strict=True)}


def to_row(collection: Collection, record: Mapping[str, Any]) -> list[Value]:
    """Column values in field order."""
    return [field.to_column(record[field.name]) for field in collection.fields]


def select_columns(collection: Collection, dialect: Dialect) -> str:
    """The column that each field is read from, quoted, in field order."""
    return ", ".join(dialect.quote(column) for column in collection.read_columns.values())


async def find_record(
    run: Run, dialect: Dialect, collection: Collection, where: Mapping[str, Value]
) -> dict[str, Any] | None:
    """The first record whose columns equal the given values, whatever any rule says; None when there is none."""
    if collection.sealed_names:
        where = looked_up(collection, where)
    rows = await run(_find_sql(dialect, collection, tuple(where)), list(where.values()))
    return await from_row(run, collection, rows[0]) if rows else None


async def find_identity(
    run: Run, dialect: Dialect, collection: Collection, where: Mapping[str, Value]
) -> Identity | None:
    """The account whose columns equal the given values, as `find_record` finds it."""
    record = await find_record(run, dialect, collection, where)
    return Identity(collection, record) if record is not None else None


def _find_sql(dialect: Dialect, collection: Collection, names: tuple[str, ...]) -> str:
    """The statement that finds a record by these columns; made once for a collection."""
    made: dict[Any, str] = collection.__dict__.setdefault("_find_sql", {})
    if (dialect, names) not in made:
        test = " AND ".join(f"{dialect.quote(name)} = {dialect.placeholder(n)}" for n, name in enumerate(names, 1))
        columns, table = select_columns(collection, dialect), dialect.quote(collection.name)
        made[dialect, names] = f"SELECT {columns} FROM {table} WHERE {test} LIMIT 1"
    return made[dialect, names]
