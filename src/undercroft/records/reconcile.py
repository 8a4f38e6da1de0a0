"""Do the store of files and the records agree? Looked at from both sides, also while a server runs.

The store is listed first, and each file is looked up in the ledger and then among the
records: see `strays`. Then every name in a record is looked up in what was listed. What is
not there is asked of the store once more, and the record is read again, for both may have
changed since.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, Literal, Protocol

from undercroft.collections.collection import Collection
from undercroft.collections.store import load_catalog
from undercroft.database.engine import Engine, Row
from undercroft.errors import Problem, Unreadable
from undercroft.files.sealed_rows import find_rows
from undercroft.files.store import FileStore, NoSuchFile, StoredFile
from undercroft.files.versions import Version, owner_of
from undercroft.records.strays import PAGE, find_strays, named_files

Kind = Literal["orphan", "missing", "damaged", "foreign"]
_RECORDS: Final = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    An orphan is a file that no record names, with what was made from it; a missing file is
    named but not there; a damaged one is not what was once stored; and what is foreign does
    not look like a file of a record at all. `size` is in bytes.
    """

    kind: Kind
    key: str
    size: int = 0
    note: str = ""


class Watcher(Protocol):
    """Is told how far the work is."""

    def listed(self, files: int, size: int) -> None:
        """So many files more are in the store, of so many bytes."""

    def looked_at(self, records: int, names: int) -> None:
        """So many records more were looked at, with so many names of files."""


@dataclass(slots=True)
class Check:
    """One look at a store and its records; with `is_deep` every byte is read."""

    engine: Engine
    store: FileStore
    watcher: Watcher
    is_deep: bool = False
    _seen: set[int] = field(default_factory=set)

    async def run(self) -> AsyncIterator[Finding]:
        """Everything that is not as it should be. Raises `StoreUnavailable`."""
        async for finding in self._from_store():
            yield finding
        for collection in await load_catalog(self.engine):
            if collection.file_fields and not collection.is_view:
                async for finding in self._from_records(collection):
                    yield finding

    async def _from_store(self) -> AsyncIterator[Finding]:
        page: dict[str, int] = {}
        async for file in self.store.list():
            self.watcher.listed(1, file.size)
            owner = owner_of(file.key)
            if owner is None:
                yield Finding("foreign", file.key, file.size)
                continue
            if owner == file.key:
                self._seen.add(hash(owner))
            if len(page) >= PAGE and owner not in page:
                for orphan in await self._orphans(page):
                    yield orphan
                page.clear()
            page[owner] = page.get(owner, 0) + file.size
        for orphan in await self._orphans(page):
            yield orphan

    async def _orphans(self, page: dict[str, int]) -> list[Finding]:
        strays = await find_strays(self.engine, page)
        return [Finding("orphan", stray, page[key]) for key, stray in strays.items()]

    async def _from_records(self, collection: Collection) -> AsyncIterator[Finding]:
        async for rows in _pages(self.engine, collection):
            keys = [_keys(collection, row) for row in rows]
            sealed = await find_rows(self.engine.read, self.engine.dialect, list(chain.from_iterable(keys)))
            for some in keys:
                for key in some:
                    row = sealed.get(key)
                    finding = await self._look_up(key, Version(key, row.version if row is not None else None))
                    if finding is not None:
                        yield finding
                self.watcher.looked_at(1, len(some))

    async def _look_up(self, key: str, version: Version) -> Finding | None:
        """What is wrong with a file that a record names, if anything is."""
        if hash(version.stored_key) in self._seen and not self.is_deep:
            return None
        try:
            file = await self.store.find(key)
        except Unreadable as problem:
            return Finding("damaged", version.stored_key, 0, problem.message())
        if file is None:
            return Finding("missing", key) if await named_files(self.engine, [key]) else None
        return await self._read(file) if self.is_deep else None

    async def _read(self, file: StoredFile) -> Finding | None:
        digest, size = hashlib.md5(usedforsecurity=False), 0
        try:
            async for piece in self.store.read(file):
                digest.update(piece)
                size += len(piece)
        except NoSuchFile:
            return None
        except Problem as problem:
            return Finding("damaged", file.key, file.size, problem.message())
        if size != file.size:
            return Finding("damaged", file.key, size, f"it has {size:,} bytes of {file.size:,}")
        if file.facts.md5 and digest.hexdigest() != file.facts.md5:
            return Finding("damaged", file.key, size, f"its MD5 is {digest.hexdigest()}, it was {file.facts.md5}")
        return None


async def count_records(engine: Engine) -> int:
    """How many records there are in collections with files."""
    total = 0
    for collection in await load_catalog(engine):
        if collection.file_fields and not collection.is_view:
            rows = await engine.read(f"SELECT count(*) FROM {engine.dialect.quote(collection.name)}")
            total += int(rows[0][0] or 0)
    return total


async def _pages(engine: Engine, collection: Collection) -> AsyncIterator[list[Row]]:
    """The ids and the values of file fields of all records, some at a time."""
    quote, mark = engine.dialect.quote, engine.dialect.placeholder
    columns = ", ".join(quote(name) for name in ("id", *(each.name for each in collection.file_fields)))
    table, last = quote(collection.name), ""
    sql = f"SELECT {columns} FROM {table} WHERE {quote('id')} > {mark(1)} ORDER BY {quote('id')} LIMIT {mark(2)}"
    while rows := await engine.read(sql, (last, _RECORDS)):
        yield rows
        last = str(rows[-1][0])


def _keys(collection: Collection, row: Row) -> list[str]:
    return [
        f"{collection.id}/{row[0]!s}/{name}"
        for each, value in zip(collection.file_fields, row[1:], strict=True)
        for name in each.to_list(each.from_column(value))
    ]
