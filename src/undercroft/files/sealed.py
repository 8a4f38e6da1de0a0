"""A store in which some files are encrypted, over one that knows nothing of that.

Which files are, the database says (`sealed_rows`), and how long they are and which key they take. Read is what
has been sealed for that very place, or nothing. What others ask for is the plain file, whole or in ranges; what
the store below has, and what is copied from one store to another, stays sealed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from undercroft.database.engine import Engine
from undercroft.database.knowing import run_knowing
from undercroft.encryption.failures import DecryptionFailed
from undercroft.encryption.file_keys import Contents, FileKey, FilePlace, Lock, SealedStream, unwrap_file, wrap_file
from undercroft.encryption.keyset import KeySet
from undercroft.encryption.streams import HEADER_BYTES, SEGMENT, cover, plain_size
from undercroft.files.keys import split_key
from undercroft.files.sealed_rows import SealedRow, find_rows, forget_files
from undercroft.files.sniff import UNKNOWN
from undercroft.files.store import Facts, FileStore, ListedFile, RemoteStore, StoredFile
from undercroft.files.versions import Version, owner_of, split_version, version_of_thumb
from undercroft.keys.making import make_key_set
from undercroft.keys.ring import Keyring

_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class SealedFile(StoredFile):
    """A file that is stored encrypted. `stored` is what the store below has, `header` how that begins."""

    stored: StoredFile
    file_key: FileKey = field(repr=False)
    lock: Lock = field(repr=False)
    header: bytes = field(repr=False)


class SealedFiles:
    """A `FileStore` that opens what is encrypted in another one, `inner`.

    `may_have` tells by the id of a collection whether any of its files may be encrypted.
    """

    def __init__(self, inner: FileStore, engine: Engine, keyring: Keyring, may_have: Callable[[str], bool]) -> None:
        self.inner = inner
        self._engine = engine
        self._keyring = keyring
        self._may_have = may_have

    async def put(self, key: str, source: Path, facts: Facts) -> None:
        """Keep a copy of a local file as it is."""
        await self.inner.put(key, source, facts)

    async def find(self, key: str) -> StoredFile | None:
        """What is known of a file, if there is one.

        Raises `DecryptionFailed`, `UnknownKey`, `KeyDisabled`, `KeyDestroyed` and `KeysUnavailable`.
        """
        owner = owner_of(key)
        row = await self.find_row(owner) if owner is not None else None
        if row is None:
            return await self.inner.find(key)
        with self._noting(key):
            return await self._find_sealed(key, row)

    async def _find_sealed(self, key: str, row: SealedRow) -> SealedFile | None:
        contents = await run_knowing(self._engine.knowledge, partial(self._unwrap, row))
        file_key = FileKey(self._keyring.app_id, row.version, contents.key)
        if key == row.key:
            return await self._find_file(row, contents, file_key)
        return await self._find_thumb(key, row, contents, file_key)

    def read(self, file: StoredFile, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a file, from `start` up to `stop`. Raises `DecryptionFailed` before any that is not right."""
        opened = self._open(file, start, stop) if isinstance(file, SealedFile) else None
        return opened or self.inner.read(file, start, stop)

    def path(self, file: StoredFile) -> Path | None:
        """Where a file lies in clear, if it does on this machine."""
        return None if isinstance(file, SealedFile) else self.inner.path(file)

    def link(self, file: StoredFile, headers: Mapping[str, str]) -> str | None:
        """An address where others can fetch a file in clear, if there is one."""
        if isinstance(file, SealedFile) or not isinstance(self.inner, RemoteStore):
            return None
        return self.inner.link(file, headers)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete files with what was made from them, or one version, or all below a key that ends in a slash."""
        wanted = list(keys)
        for start in range(0, len(wanted), _AT_ONCE):
            await self._delete(wanted[start : start + _AT_ONCE])

    def list(self, prefix: str = "") -> AsyncIterator[ListedFile]:
        """All files as the store below has them."""
        return self.inner.list(prefix)

    async def close(self) -> None:
        """Let go of connections."""
        await self.inner.close()

    async def find_row(self, key: str) -> SealedRow | None:
        """What the database says of a file that is encrypted; None for all others."""
        if not self._may_have(_collection(key)):
            return None
        return (await find_rows(self._engine.read, self._engine.dialect, [key])).get(key)

    async def make_row(self, key: str, stream: SealedStream, facts: Facts) -> SealedRow:
        """What the database has to say of a file before its stream is put into the store. Raises `KeysUnavailable`."""
        place = self._place(key)
        keys = await self._keys_for(place.collection_id)
        wrapped = wrap_file(keys.primary, place, stream, facts.type, facts.original_name)
        self._keyring.count("file", place.collection_id)
        return SealedRow(key, stream.key.version, keys.primary_id, stream.size, stream.header, wrapped)

    async def put_stream(self, row: SealedRow, source: Path, md5: str) -> None:
        """Keep the stream of a file, which has that MD5."""
        await self.inner.put(Version(row.key, row.version).stored_key, source, _outside(row.key, md5))

    async def put_thumb(self, original: SealedFile, key: str, source: Path, md5: str) -> None:
        """Keep the stream of a thumb."""
        await self.inner.put(version_of_thumb(key, original.file_key.version), source, _outside(key, md5))

    async def _find_file(self, row: SealedRow, contents: Contents, file_key: FileKey) -> SealedFile | None:
        stored = await self.inner.find(Version(row.key, row.version).stored_key)
        if stored is None:
            return None
        if stored.size != row.stored_size:
            raise DecryptionFailed(f"The store has {stored.size} bytes of {row.key}, in place of {row.stored_size}.")
        facts = Facts(contents.type, "", contents.name)
        told = (row.key, row.size, stored.modified, row.version, facts)
        return SealedFile(*told, stored, file_key, file_key.lock(), row.header)

    async def _find_thumb(self, key: str, row: SealedRow, contents: Contents, file_key: FileKey) -> SealedFile | None:
        stored = await self.inner.find(version_of_thumb(key, row.version))
        if stored is None:
            return None
        name = key.rpartition("/")[2]
        size = name.partition("_")[0]
        header = b"".join([piece async for piece in self.inner.read(stored, 0, HEADER_BYTES)])
        told = (plain_size(stored.size), stored.modified, f"{row.version}-{size}")
        facts = Facts(contents.type, "", f"{size}_{contents.name}")
        return SealedFile(key, *told, facts, stored, file_key, file_key.lock(name), header)

    async def _delete(self, keys: Sequence[str]) -> None:
        versions = [split_version(key) for key in keys]
        files = [each.file for each in versions if each.version is None and self._may_have(_collection(each.file))]
        rows = await find_rows(self._engine.read, self._engine.dialect, files) if files else {}
        streams = [Version(row.key, row.version).stored_key for row in rows.values()]
        await self.inner.delete([*(each.stored_key for each in versions), *streams])
        prefixes = [file for file in files if file.endswith("/")]
        if rows or prefixes:
            gone = [*rows, *prefixes]
            await self._engine.write(lambda tx: forget_files(tx, self._engine.dialect, gone))

    async def _open(self, file: SealedFile, start: int, stop: int | None) -> AsyncGenerator[bytes, None]:
        opened = _open(self.inner, file, start, stop)
        with self._noting(file.key):
            async with aclosing(opened):
                async for piece in opened:
                    yield piece

    @contextmanager
    def _noting(self, key: str) -> Iterator[None]:
        """Have it written down which file did not open."""
        try:
            yield
        except DecryptionFailed as failure:
            failure.file = key
            self._keyring.note_failure(failure)
            raise

    async def _unwrap(self, row: SealedRow) -> Contents:
        place = self._place(row.key)
        key = self._keyring.key_set("file", place.collection_id).opening(row.key_id)
        return unwrap_file(key, place.binding(row.version, row.header, row.size), row.wrapped)

    def _place(self, key: str) -> FilePlace:
        return FilePlace(self._keyring.app_id, *split_key(key))

    async def _keys_for(self, collection_id: str) -> KeySet:
        """The keys of a collection's files, made when they are needed first."""
        if self._keyring.has("file", collection_id):
            return self._keyring.key_set("file", collection_id)
        dialect, keyring = self._engine.dialect, self._keyring
        return await self._engine.write(
            lambda tx: make_key_set(tx, dialect, keyring, "file", collection_id, algorithm="AES256_GCM_HKDF_STREAM"),
            alone=True,
        )


async def _open(store: FileStore, file: SealedFile, start: int, stop: int | None) -> AsyncGenerator[bytes, None]:
    """The plain bytes of a range, of which only the segments that it touches are read, one at a time."""
    until = file.size if stop is None else min(stop, file.size)
    if start >= until:
        return
    wanted = cover(start, until, file.size)
    opener = file.lock.range_opener(file.header, wanted)
    source = store.read(file.stored, wanted.start, wanted.stop)
    try:
        async for piece in source:
            view = memoryview(piece)
            for at in range(0, len(view), SEGMENT):
                if plain := opener.feed(view[at : at + SEGMENT]):
                    yield plain
        opener.finish()
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()


def _outside(key: str, md5: str) -> Facts:
    """What the store below may know: nothing of the content, and no name but the one in the key."""
    return Facts(UNKNOWN, md5, key.rpartition("/")[2])


def _collection(key: str) -> str:
    return key.partition("/")[0]
