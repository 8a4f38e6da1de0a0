"""Which store the files are in: the one that is configured, else the bucket of the settings, else a folder."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from undercroft.config import LOCAL_FILES
from undercroft.database.refusals import StartRefused
from undercroft.files.local import LocalFiles
from undercroft.files.s3_bucket import SCHEME, BadBucket, Bucket, parse_bucket
from undercroft.files.s3_guard import guarded
from undercroft.files.store import Facts, FileStore, ListedFile, StoredFile, StoreUnavailable

FOLDER: Final = "storage"
_LOOK_AGAIN: Final = 30.0  # seconds after which a name may mean another address


class MissingS3(StartRefused):
    """The client for buckets is not installed."""

    code = "missing_s3_client"

    def __init__(self) -> None:
        super().__init__("Files on S3 need their client: pip install 'undercroft[s3]'.")


def open_files(
    option: str, directory: Path, environment: Mapping[str, str], find_bucket: Callable[[], Bucket | None]
) -> FileStore:
    """The store of a data directory; `find_bucket` tells what the settings say at the moment.

    Raises `BadBucket` and `MissingS3`.
    """
    local = LocalFiles(directory / FOLDER)
    if option == LOCAL_FILES:
        return local
    if option.startswith(SCHEME):
        return open_bucket(parse_bucket(option, environment))
    return SetFiles(local, find_bucket)


def open_bucket(bucket: Bucket) -> FileStore:
    """The store in a bucket. Raises `MissingS3`."""
    # Its client is an extra, which most servers never need.
    try:
        from undercroft.files.s3 import S3Files  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise MissingS3 from error
    return S3Files(bucket)


def is_settable(files: FileStore) -> bool:
    """Whether the settings say what a store is, or would if there were no flag for a folder."""
    return isinstance(files, (SetFiles, LocalFiles))


class SetFiles:
    """A `FileStore` that is a folder, or the bucket that is set at the moment."""

    def __init__(self, local: FileStore, find_bucket: Callable[[], Bucket | None]) -> None:
        self._local = local
        self._find_bucket = find_bucket
        self._opened: _Opened | None = None

    async def put(self, key: str, source: Path, facts: Facts) -> None:
        """Keep a copy of a local file."""
        await (await self._current()).put(key, source, facts)

    async def find(self, key: str) -> StoredFile | None:
        """What is known of a file, if there is one."""
        return await (await self._current()).find(key)

    async def read(self, file: StoredFile, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a file, from `start` up to `stop`."""
        source = (await self._current()).read(file, start, stop)
        try:
            async for piece in source:
                yield piece
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()  # lets go of the connection now, not when the garbage is collected

    def path(self, file: StoredFile) -> Path | None:
        """Where a file lies, if it is on this machine."""
        return self._local.path(file) if self._bucket() is None else None

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete files, or all below keys that end in a slash."""
        await (await self._current()).delete(keys)

    async def list(self, prefix: str = "") -> AsyncIterator[ListedFile]:
        """All files whose keys begin with a prefix."""
        async for file in (await self._current()).list(prefix):
            yield file

    async def close(self) -> None:
        """Let go of connections."""
        if self._opened is not None:
            await self._opened.store.close()

    async def _current(self) -> FileStore:
        bucket = self._bucket()
        if bucket is None:
            return self._local
        opened = self._opened
        if opened is None or opened.bucket != bucket or monotonic() - opened.looked_at > _LOOK_AGAIN:
            found = await guarded(bucket)
            is_same = opened is not None and opened.found == found
            store = opened.store if opened is not None and is_same else _open_late(found)
            self._opened = opened = _Opened(bucket, found, store, monotonic())
        return opened.store

    def _bucket(self) -> Bucket | None:
        try:
            return self._find_bucket()
        except BadBucket as error:
            raise _unusable(error) from error


@dataclass(frozen=True, slots=True)
class _Opened:
    """A store in a bucket that was set; where it was found, and when that was looked at."""

    bucket: Bucket
    found: Bucket
    store: FileStore
    looked_at: float


def _open_late(bucket: Bucket) -> FileStore:
    try:
        return open_bucket(bucket)
    except MissingS3 as error:
        raise _unusable(error) from error


def _unusable(error: BadBucket | MissingS3) -> StoreUnavailable:
    return StoreUnavailable("The file storage is not set up rightly.", 60, detail=error.message())
