"""Reading a table page by page, in the order in which its rows were inserted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Row, Value
from undercroft.database.moved import MovedTable
from undercroft.database.positions import Read

PAGE: Final = 1000
_KEY: Final = "_rowid_"  # in no definition; both engines number the rows of a table


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from. All reads see the same moment."""

    read: Read
    dialect: Dialect


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and the key of the last of them."""

    rows: list[Row]
    last: Value


async def read_pages(source: Source, table: MovedTable, after: Value = None) -> AsyncIterator[Page]:
    """The rows of a table behind a key, all of them when that is None."""
    while True:
        rows = await _read_page(source, table, after)
        if not rows:
            return
        after = rows[-1][0]
        yield Page([row[1:] for row in rows], after)
        if len(rows) < PAGE:
            return


async def count_rows(source: Source, name: str) -> int:
    """How many rows a table or view has."""
    rows = await source.read(f"SELECT count(*) FROM {source.dialect.quote(name)}", ())
    return int(rows[0][0] or 0)


async def _read_page(source: Source, table: MovedTable, after: Value) -> list[Row]:
    dialect = source.dialect
    key = dialect.quote(_KEY)
    where = "" if after is None else f" WHERE {key} > {dialect.placeholder(1)}"
    rest = f"FROM {dialect.quote(table.name)}{where} ORDER BY {key} LIMIT {PAGE}"
    values = () if after is None else (after,)
    try:
        columns = ", ".join(dialect.quote(column.name) for column in table.columns)
        return await source.read(f"SELECT {key}, {columns} {rest}", values)
    except UnicodeDecodeError:
        columns = ", ".join(dialect.text_bytes(dialect.quote(column.name)) for column in table.columns)
        return list(map(_decoded, await source.read(f"SELECT {key}, {columns} {rest}", values)))


def _decoded(row: Row) -> Row:
    """A row whose texts were read as bytes; what is no text stays bytes."""
    return tuple(_text_of(value) if isinstance(value, bytes) else value for value in row)


def _text_of(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
