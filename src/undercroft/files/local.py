"""Files in a folder: `COLLECTION_ID/RECORD_ID/NAME`, each with a side file `NAME.attrs` of what is known of it.

The layout is PocketBase's, so that its data folder can be taken over as it is. A
side file that is missing or broken is no loss: the content tells its type again.

Every step opens the next folder relative to the one before it and follows no link,
so no name leads outside, whatever somebody puts into the folder. The work blocks,
and is done beside the event loop.
"""

from __future__ import annotations

import os
from asyncio import to_thread
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from undercroft.files.keys import BadKey, split_key
from undercroft.files.local_delete import delete_key
from undercroft.files.local_facts import load_facts
from undercroft.files.local_folder import ABSENT, open_file, open_folder, told_faults
from undercroft.files.local_list import walk
from undercroft.files.local_put import Put
from undercroft.files.store import Facts, ListedFile, NoSuchFile, StoredFile

STAGING: Final = ".staging"
_PIECE: Final = 256 * 1024
_AT_ONCE: Final = 1000


class LocalFiles:
    """A `FileStore` in a local folder, which is made when the first file comes.

    What is put from the folder `.staging` in it is not copied: both names are of one file then.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    async def put(self, key: str, source: Path, facts: Facts) -> None:
        """Keep a copy of a local file. Raises `BadKey`, `StorageFull`, `StoreUnavailable`."""
        put = Put(self.root, split_key(key), source, facts, is_linked=source.is_relative_to(self.root / STAGING))
        await to_thread(put.run)

    async def find(self, key: str) -> StoredFile | None:
        """What is known of a file, if there is one."""
        return await to_thread(self._find, key)

    async def read(self, file: StoredFile, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a file, from `start` up to `stop`. Raises `NoSuchFile`."""
        opened = await to_thread(self._open, file.key)
        until = file.size if stop is None else stop
        try:
            while start < until and (piece := await to_thread(_pread, opened, min(_PIECE, until - start), start)):
                start += len(piece)
                yield piece
        finally:
            os.close(opened)

    def path(self, file: StoredFile) -> Path | None:
        """Where a file lies."""
        return self.root.joinpath(*split_key(file.key)).absolute()

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete files, or all below a key that ends in a slash, and folders that are empty then."""
        for key in keys:
            await to_thread(delete_key, self.root, key)

    async def list(self, prefix: str = "") -> AsyncIterator[ListedFile]:
        """All files whose keys begin with a prefix."""
        found = walk(self.root, prefix)
        while page := await to_thread(_take, found):
            for file in page:
                yield file

    async def close(self) -> None:
        """Nothing is held open."""

    def _find(self, key: str) -> StoredFile | None:
        try:
            *folders, name = split_key(key)
            with told_faults(), open_folder(self.root, folders) as folder:
                return _describe(folder, name, key)
        except (BadKey, *ABSENT):
            return None

    def _open(self, key: str) -> int:
        *folders, name = split_key(key)
        try:
            with told_faults(), open_folder(self.root, folders) as folder:
                return open_file(folder, name)
        except ABSENT as error:
            raise NoSuchFile from error


def _describe(folder: int, name: str, key: str) -> StoredFile:
    opened = open_file(folder, name)
    try:
        known, facts = os.fstat(opened), load_facts(folder, name, opened)
    finally:
        os.close(opened)
    etag = facts.md5 or f"{known.st_size:x}-{known.st_mtime_ns:x}"
    return StoredFile(key, known.st_size, datetime.fromtimestamp(known.st_mtime, UTC), etag, facts)


def _pread(opened: int, size: int, start: int) -> bytes:
    with told_faults():
        return os.pread(opened, size, start)


def _take(found: Iterator[ListedFile]) -> list[ListedFile]:
    with told_faults():
        return list(islice(found, _AT_ONCE))
