"""Which files are stored encrypted: one row each, with the key of the file in wrapped form.

What a store says of a file that stands here is not believed: length, key and beginning are told by the row, and
the row cannot be altered either, because its wrapped key is bound to all of it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Row, Transaction, Value
from undercroft.database.positions import Read
from undercroft.database.statements import delete_rows, insert_row
from undercroft.encryption.streams import sealed_size

TABLE: Final = "_sealed_files"
_NAMES: Final = ("key", "collection", "version", "key_id", "size", "header", "wrapped")
_COLUMNS: Final = ", ".join(f'"{name}"' for name in _NAMES)
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class SealedRow:
    """A file that is stored encrypted: `size` is that of its content, `key_id` says what its key is wrapped with."""

    key: str
    version: str
    key_id: int
    size: int
    header: bytes
    wrapped: bytes

    @property
    def stored_size(self) -> int:
        """How many bytes the store has."""
        return sealed_size(self.size)


async def find_rows(read: Read, dialect: Dialect, keys: Sequence[str]) -> dict[str, SealedRow]:
    """Those of the files that are stored encrypted, by their keys."""
    found: dict[str, SealedRow] = {}
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        marks = ", ".join(dialect.placeholder(number) for number in range(1, len(some) + 1))
        for row in await read(f'SELECT {_COLUMNS} FROM "{TABLE}" WHERE "key" IN ({marks})', some):
            sealed = _from_row(row)
            found[sealed.key] = sealed
    return found


async def add_row(tx: Transaction, dialect: Dialect, row: SealedRow) -> bool:
    """Say of a file that it is stored encrypted; whether nobody said so before."""
    values: Mapping[str, Value] = {
        "key": row.key,
        "collection": row.key.partition("/")[0],
        "version": row.version,
        "key_id": row.key_id,
        "size": row.size,
        "header": _text(row.header),
        "wrapped": _text(row.wrapped),
    }
    return await insert_row(tx, dialect, TABLE, values)


async def rewrap_row(tx: Transaction, dialect: Dialect, row: SealedRow, key_id: int, wrapped: bytes) -> bool:
    """Put another wrapped key in place of that of a row, if the row still is what it was; whether it was."""
    mark = dialect.placeholder
    sql = f"""UPDATE "{TABLE}" SET "key_id" = {mark(1)}, "wrapped" = {mark(2)}
        WHERE "key" = {mark(3)} AND "version" = {mark(4)} AND "key_id" = {mark(5)} RETURNING "key\""""
    return bool(await tx.run(sql, (key_id, _text(wrapped), row.key, row.version, row.key_id)))


async def forget_files(tx: Transaction, dialect: Dialect, keys: Iterable[str]) -> None:
    """Forget that files were stored encrypted, because they are gone: all below a key that ends in a slash."""
    mark = dialect.placeholder
    for key in keys:
        below = f'substr("key", 1, {len(key)}) = {mark(2)}' if key.endswith("/") else f'"key" = {mark(2)}'
        sql = f'DELETE FROM "{TABLE}" WHERE "collection" = {mark(1)} AND {below}'
        await tx.run(sql, (key.partition("/")[0], key))


async def forget_version(tx: Transaction, dialect: Dialect, row: SealedRow) -> bool:
    """Forget one version, because another one counts now; whether it was known."""
    return await delete_rows(tx.run, dialect, TABLE, {"key": row.key, "version": row.version}) > 0


async def rows_under_others(
    read: Read, dialect: Dialect, collection_id: str, key_id: int, limit: int
) -> list[SealedRow]:
    """Files of a collection whose keys are wrapped with other keys than that one."""
    mark = dialect.placeholder
    sql = f"""SELECT {_COLUMNS} FROM "{TABLE}" WHERE "collection" = {mark(1)}
        AND ("key_id" < {mark(2)} OR "key_id" > {mark(3)}) LIMIT {mark(4)}"""
    return [_from_row(row) for row in await read(sql, (collection_id, key_id, key_id, limit))]


async def count_rows(read: Read, dialect: Dialect, collection_id: str, key_id: int) -> int:
    """How many files of a collection have keys that are wrapped with that one."""
    mark = dialect.placeholder
    sql = f'SELECT count(*) FROM "{TABLE}" WHERE "collection" = {mark(1)} AND "key_id" = {mark(2)}'
    return int((await read(sql, (collection_id, key_id)))[0][0] or 0)


def _from_row(row: Row) -> SealedRow:
    key, _, version, key_id, size, header, wrapped = row
    numbers = (int(key_id or 0), int(size or 0))
    return SealedRow(str(key), str(version), *numbers, b64decode(str(header)), b64decode(str(wrapped)))


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()
