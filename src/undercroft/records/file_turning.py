"""Encrypting files that are stored in clear, and decrypting them again, while everybody reads and writes.

A file that turns is stored a second time, under the key of its new version. One transaction then makes that count,
if the record still names the file and nobody was faster; the old version stays for a moment longer, for those who
have begun to read it. Until then the ledger holds the new version: whoever is killed at any moment leaves a file
that is whole, and nothing that would not be cleared away. Names, addresses and records stay what they are.

Which files have to turn is not written down: the store is listed, and of each file it is asked what its field wants.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

from undercroft.collections.collection import Collection
from undercroft.collections.fields.file import FileField
from undercroft.database.engine import Engine, Transaction
from undercroft.errors import Problem
from undercroft.files.ledger import abandon_files, hold_version, keep_files, retire_files
from undercroft.files.moving import Watcher
from undercroft.files.sealed import SealedFile, SealedFiles
from undercroft.files.sealed_rows import SealedRow, add_row, find_rows, forget_version
from undercroft.files.staging import Staging
from undercroft.files.store import Facts, ListedFile, StoredFile, StoreUnavailable
from undercroft.files.versions import PLAIN, Version, split_version
from undercroft.http.upload import Upload
from undercroft.records.strays import fields_of_files

GRACE_SECONDS: Final = 10.0
"""How long a version stays that does not count any more."""
_ROUNDS: Final = 5
_PAGE: Final = 200
_MOST_FAILURES: Final = 20
Outcome = Literal["turned", "gone", "later"]
"""What became of a file: it has turned, it went meanwhile or somebody else turned it, or it can not be now."""


class DamagedFile(StoreUnavailable):
    """A file is not what was once stored, so it is left as it is."""

    code = "damaged_file"
    default = "The file is not what was once stored."


@dataclass(frozen=True, slots=True)
class Turning:
    """A file that is to turn: the version that there is, and the field that wants another."""

    found: Version
    field: FileField
    size: int

    @property
    def key(self) -> str:
        """The key of the file."""
        return self.found.file


@dataclass
class Turned:
    """What was done; sizes are in bytes."""

    files: int = 0
    size: int = 0
    later: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left that could not be turned."""
        return not self.failed and not self.later


@dataclass(frozen=True, slots=True)
class Turner:
    """Turns files of one collection, those of some fields."""

    engine: Engine
    store: SealedFiles
    staging: Staging
    collection: Collection
    fields: Sequence[FileField]

    async def run(self, watcher: Watcher) -> Turned:
        """Turn all files that are not stored as their field wants, until none is found. Raises `KeysUnavailable`."""
        turned = Turned()
        for _ in range(_ROUNDS):
            before = turned.files
            turned.failed.clear()
            turned.later = 0
            await self._round(watcher, turned)
            if turned.files == before or len(turned.failed) >= _MOST_FAILURES:
                break
        return turned

    async def pending(self) -> AsyncIterator[Turning]:
        """The files that are not stored as their field wants."""
        page: dict[Version, int] = {}
        async for file in self.store.inner.list(f"{self.collection.id}/"):
            if (version := _version_of(file)) is not None:
                page[version] = file.size
            if len(page) >= _PAGE:
                for turning in await self._wanted(page):
                    yield turning
                page.clear()
        for turning in await self._wanted(page):
            yield turning

    async def turn(self, turning: Turning) -> Outcome:
        """Store a file as its field wants. Raises `Problem`."""
        return await (self._encrypt(turning) if turning.field.is_encrypted else self._decrypt(turning))

    async def _round(self, watcher: Watcher, turned: Turned) -> None:
        files = size = 0
        async for each in self.pending():
            files, size = files + 1, size + each.size
        watcher.begin(files, size)
        async for each in self.pending():
            if len(turned.failed) >= _MOST_FAILURES:
                return
            try:
                outcome = await self.turn(each)
            except (Problem, FileNotFoundError) as problem:
                turned.failed[each.key] = getattr(problem, "detail", "") or str(problem)
            else:
                turned.files += outcome == "turned"
                turned.size += each.size * (outcome == "turned")
                turned.later += outcome == "later"
            watcher.advance(1, each.size)

    async def _wanted(self, page: dict[Version, int]) -> list[Turning]:
        """Which of these files are those of records, and not as their fields want them."""
        if not page:
            return []
        keys = sorted({version.file for version in page})
        named = await fields_of_files(self.engine, self.collection, sorted({key.split("/")[1] for key in keys}))
        rows = await find_rows(self.engine.read, self.engine.dialect, keys)
        found = [Turning(version, named[version.file], size) for version, size in page.items() if version.file in named]
        return [each for each in found if each.field in self.fields and _turns(each, rows.get(each.key))]

    async def _encrypt(self, turning: Turning) -> Outcome:
        plain = await self.store.inner.find(turning.key)
        if plain is None:
            return "gone"
        upload = await self._arrive(turning.key, _checked(self.store.inner.read(plain), plain), is_encrypted=True)
        try:
            if upload.sealed is None or upload.path is None or upload.size != plain.size:
                raise DamagedFile
            row = await self.store.make_row(turning.key, upload.sealed, plain.facts)
            put = partial(self.store.put_stream, row, upload.path, upload.md5)
            return await self._swap(turning, Version(row.key, row.version), put, partial(self._now_sealed, row))
        finally:
            await self.staging.discard([upload])

    async def _decrypt(self, turning: Turning) -> Outcome:
        row, sealed = await self.store.find_row(turning.key), await self.store.find(turning.key)
        if row is None or not isinstance(sealed, SealedFile):
            return "gone"
        upload = await self._arrive(turning.key, self.store.read(sealed), is_encrypted=False)
        try:
            if upload.path is None or upload.size != sealed.size:
                raise DamagedFile
            facts = Facts(sealed.facts.type, upload.md5, sealed.facts.original_name)
            put = partial(self.store.put, turning.key, upload.path, facts)
            return await self._swap(turning, Version(turning.key, PLAIN), put, partial(self._now_plain, row))
        finally:
            await self.staging.discard([upload])

    async def _arrive(self, key: str, pieces: AsyncIterator[bytes], *, is_encrypted: bool) -> Upload:
        return await self.staging.arriving(key, "", is_encrypted=is_encrypted).pour(pieces)

    async def _swap(
        self,
        turning: Turning,
        fresh: Version,
        put: Callable[[], Awaitable[None]],
        change: Callable[[Transaction], Awaitable[bool]],
    ) -> Outcome:
        """Store a new version, and let it count in place of the one that there is."""
        dialect, key = self.engine.dialect, fresh.exact_key

        async def swap(tx: Transaction) -> bool:
            if not await self._is_named(tx, turning) or not await change(tx):
                return False
            await keep_files(tx, dialect, [key])
            await retire_files(tx, dialect, [turning.found.exact_key], GRACE_SECONDS)
            return True

        if not await self.engine.write(lambda tx: hold_version(tx, dialect, key)):
            return "later"
        is_swapped = False
        try:
            await put()
            is_swapped = await self.engine.write(swap)
        finally:
            if not is_swapped:
                await self.engine.write(lambda tx: abandon_files(tx, dialect, [key]))
        return "turned" if is_swapped else "gone"

    async def _now_sealed(self, row: SealedRow, tx: Transaction) -> bool:
        return await add_row(tx, self.engine.dialect, row)

    async def _now_plain(self, row: SealedRow, tx: Transaction) -> bool:
        return await forget_version(tx, self.engine.dialect, row)

    async def _is_named(self, tx: Transaction, turning: Turning) -> bool:
        """Whether the record still names the file, which it then does until the transaction ends."""
        quote, mark = self.engine.dialect.quote, self.engine.dialect.placeholder
        _, record_id, name = turning.key.split("/")
        sql = f"""UPDATE {quote(self.collection.name)} SET "id" = "id" WHERE "id" = {mark(1)}
            RETURNING {quote(turning.field.name)}"""
        rows = await tx.run(sql, (record_id,))
        return bool(rows) and name in turning.field.to_list(turning.field.from_column(rows[0][0]))


def fields_that(collection: Collection, *, are_encrypted: bool) -> list[FileField]:
    """The file fields of a collection whose files are to be encrypted, or the others."""
    return [each for each in collection.file_fields if each.is_encrypted == are_encrypted]


def _version_of(file: ListedFile) -> Version | None:
    """Which version of which file that is; None for thumbs and for what is no file of a record."""
    return split_version(file.key) if file.key.count("/") == 2 else None


def _turns(found: Turning, row: SealedRow | None) -> bool:
    """Whether a version counts, and is not what its field wants."""
    is_sealed = row is not None
    is_current = found.found.version == (row.version if row is not None else None)
    return is_current and is_sealed != found.field.is_encrypted


async def _checked(pieces: AsyncIterator[bytes], file: StoredFile) -> AsyncIterator[bytes]:
    """The pieces of a file. Raises `DamagedFile` at the end when they are not what was once stored."""
    digest = hashlib.md5(usedforsecurity=False)
    async for piece in pieces:
        digest.update(piece)
        yield piece
    if file.facts.md5 and digest.hexdigest() != file.facts.md5:
        raise DamagedFile
