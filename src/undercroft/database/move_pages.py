"""Reading a table page by page, as a rule in the order in which its rows were inserted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Row, Value
from undercroft.database.moved import MovedColumn, MovedKind, MovedTable
from undercroft.database.positions import Read

PAGE: Final = 1000


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
    key = dialect.quote(table.key)
    where = "" if after is None else f" WHERE {key} > {dialect.placeholder(1)}"
    rest = f"FROM {dialect.quote(table.name)}{where} ORDER BY {key} LIMIT {PAGE}"
    values = () if after is None else (after,)
    try:
        columns = ", ".join(dialect.quote(column.name) for column in table.columns)
        return await source.read(f"SELECT {key}, {columns} {rest}", values)
    except UnicodeDecodeError:
        columns = ", ".join(_as_bytes(column, dialect) for column in table.columns)
        kinds = [None, *(column.kind for column in table.columns)]
        return [_decoded(row, kinds) for row in await source.read(f"SELECT {key}, {columns} {rest}", values)]


def _as_bytes(column: MovedColumn, dialect: Dialect) -> str:
    name = dialect.quote(column.name)
    return name if column.kind == "bytes" else dialect.text_bytes(name)


def _decoded(row: Row, kinds: Sequence[MovedKind | None]) -> Row:
    """A row whose texts were read as bytes; what is no text stays bytes."""
    pairs = zip(row, kinds, strict=True)
    return tuple(_text_of(each) if isinstance(each, bytes) and kind != "bytes" else each for each, kind in pairs)


def _text_of(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
