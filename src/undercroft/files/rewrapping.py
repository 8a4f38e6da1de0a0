"""Keys of files under a new key of their collection: wrapped anew, with the files as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from undercroft.database.engine import Engine, Transaction
from undercroft.encryption.file_keys import FilePlace, rewrap_file
from undercroft.encryption.keyset import KeySet
from undercroft.files.keys import split_key
from undercroft.files.sealed_rows import SealedRow, rewrap_row, rows_under_others
from undercroft.keys.ring import Keyring

_AT_ONCE: Final = 200


async def needs_rewrap(engine: Engine, keyring: Keyring, collection_id: str) -> bool:
    """Whether any file of a collection has its key under another one than the primary one."""
    primary = keyring.key_set("file", collection_id).primary_id
    return bool(await rows_under_others(engine.read, engine.dialect, collection_id, primary, 1))


async def rewrap_files(engine: Engine, keyring: Keyring, collection_id: str) -> int:
    """Wrap the keys of all files of a collection with its primary key; how many there were.

    Raises `DecryptionFailed`, `KeyDisabled`, `KeyDestroyed` and `KeysUnavailable` for the first that does not open.
    """
    count = 0
    while True:
        keys = keyring.key_set("file", collection_id)
        rows = await rows_under_others(engine.read, engine.dialect, collection_id, keys.primary_id, _AT_ONCE)
        if not rows:
            return count
        wrapped = [_rewrapped(keyring.app_id, keys, row) for row in rows]
        await engine.write(lambda tx: _write(tx, engine, keys, rows, wrapped))  # noqa: B023 - awaited here
        keyring.count("file", collection_id, len(rows))
        count += len(rows)


def _rewrapped(app_id: str, keys: KeySet, row: SealedRow) -> bytes:
    binding = FilePlace(app_id, *split_key(row.key)).binding(row.version, row.header, row.size)
    return rewrap_file(keys.opening(row.key_id), keys.primary, binding, row.wrapped)


async def _write(
    tx: Transaction, engine: Engine, keys: KeySet, rows: Sequence[SealedRow], wrapped: Sequence[bytes]
) -> None:
    for row, fresh in zip(rows, wrapped, strict=True):
        await rewrap_row(tx, engine.dialect, row, keys.primary_id, fresh)
