"""Records that no unique index will have beside each other once their values have come along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from undercroft.collections.collection import Collection
from undercroft.collections.indexes import Index, parse_indexes
from undercroft.collections.pieces import Piece
from undercroft.collections.tables import spelled
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Value
from undercroft.database.positions import Read

_GROUPS: Final = 10
_MEMBERS: Final = 10


@dataclass(frozen=True, slots=True)
class Clash:
    """Records with one value, as a unique index sees it, by their ids."""

    index: str
    records: Sequence[str]


async def find_clashes(read: Read, dialect: Dialect, after: Collection, piece: Piece) -> list[Clash]:
    """Some of the records that clash in the unique indexes that have the field of a piece.

    `after` is the collection as it will be, in a table that has all of its columns.
    """
    field = after.by_id[piece.field]
    unique = [index for index in parse_indexes(after.indexes) if index.is_unique]
    found: list[Clash] = []
    for index in unique:
        if field.name.lower() in {column.name.lower() for column in index.columns}:
            found += await _clashes(read, dialect, after, spelled(index, after))
    return found


async def _clashes(read: Read, dialect: Dialect, after: Collection, index: Index) -> list[Clash]:
    kinds = {column.name: column.kind for column in after.columns}
    known = {name.lower(): name for name in kinds}
    keys = [
        dialect.index_expression(column.name, kinds)
        if column.is_expression
        else dialect.quote(known.get(column.name.lower(), column.name))
        for column in index.columns
    ]
    table, where = dialect.quote(after.name), dialect.index_expression(index.where, kinds) if index.where else "1 = 1"
    # What is NULL clashes with nothing.
    filled = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    sql = f"""SELECT {", ".join(keys)} FROM {table} WHERE {where} AND {filled}
        GROUP BY {", ".join(keys)} HAVING count(*) > 1 LIMIT {_GROUPS}"""
    return [
        Clash(index.name, await _members(read, dialect, f"{table} WHERE {where}", keys, row))
        for row in await read(sql, ())
    ]


async def _members(
    read: Read, dialect: Dialect, source: str, keys: Sequence[str], values: Sequence[Value]
) -> list[str]:
    same = " AND ".join(f"{key} = {dialect.placeholder(n)}" for n, key in enumerate(keys, 1))
    rows = await read(f'SELECT "id" FROM {source} AND {same} ORDER BY "id" LIMIT {_MEMBERS}', values)
    return [str(key) for (key,) in rows]
