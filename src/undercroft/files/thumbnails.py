"""Small versions of images, made when first asked for and kept beside the original.

However many ask for one thumb, one job makes it. Servers that share a store know
nothing of each other here: at worst each makes the same thumb once, and the store
keeps one. An image of which there can be no thumb is remembered for a while, in
memory, so that it costs nothing to ask again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec import structs

from undercroft.errors import StorageFull, Unavailable
from undercroft.files.sealed import SealedFile, SealedFiles
from undercroft.files.store import Facts, FileStore, StoredFile
from undercroft.files.thumb_jobs import IMAGE_TYPES, Job, SealedAs
from undercroft.files.thumb_pool import ThumbPool
from undercroft.files.thumb_size import Size
from undercroft.ids import random_text

_LARGEST_SOURCE: Final = 100 << 20
_REMEMBERED: Final = 4096
_MEMORY_SECONDS: Final = 600.0
_log = logging.getLogger("undercroft")


class ThumbsBusy(Unavailable):
    """More thumbs are waiting to be made than the queue holds."""

    code = "thumbs_busy"
    default = "Too many thumbs are being made. Try again in a moment."


class Thumbs:
    """Makes thumbs in a few limited processes, which start when needed and end when idle.

    Files on their way lie in the folder `scratch`. At most `waiting` thumbs are being made or wait to be.
    """

    def __init__(self, scratch: Path, pool: ThumbPool | None = None, *, waiting: int = 100) -> None:
        self._scratch = scratch
        self._pool = pool or ThumbPool()
        self._waiting = waiting
        self._making: dict[str, asyncio.Task[StoredFile | None]] = {}
        self._refused = _Memory()

    async def find_or_make(self, store: FileStore, original: StoredFile, size: Size) -> StoredFile | None:
        """The thumb of an image in a size; None when it has none, and the original is to be served.

        That of an encrypted image is encrypted too. The size is one that `thumb_size.allowed_size`
        gave. Raises `ThumbsBusy`, `StoreUnavailable`, and `NoSuchFile` when the original is gone by now.
        """
        key = thumb_key(original.key, size)
        if original.facts.type not in IMAGE_TYPES or original.size > _LARGEST_SOURCE or key in self._refused:
            return None
        return await store.find(key) or await asyncio.shield(self._start(store, original, size))

    async def close(self) -> None:
        """End the processes, and what waits for them."""
        self._pool.close()
        await asyncio.gather(*self._making.values(), return_exceptions=True)

    def _start(self, store: FileStore, original: StoredFile, size: Size) -> asyncio.Task[StoredFile | None]:
        """The task that makes a thumb: one for all who ask for it, and going on when they leave."""
        key = thumb_key(original.key, size)
        if key in self._making:
            return self._making[key]
        if len(self._making) >= self._waiting:
            raise ThumbsBusy
        task = self._making[key] = asyncio.create_task(self._make(store, original, size))
        task.add_done_callback(lambda done: self._finish(key, done))
        return task

    def _finish(self, key: str, task: asyncio.Task[StoredFile | None]) -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # told to those who wait; if nobody does, it is no news

    async def _make(self, store: FileStore, original: StoredFile, size: Size) -> StoredFile | None:
        key = thumb_key(original.key, size)
        try:
            if not await self._put(store, original, size):
                return None
        except (OSError, StorageFull) as error:
            _log.warning("The thumb %s could not be made: %s", key, error)
            return None
        if await store.find(original.key) is None:
            await store.delete([original.key])  # it went meanwhile, and what was made of it goes too
            return None
        return await store.find(key)

    async def _put(self, store: FileStore, original: StoredFile, size: Size) -> bool:
        """Make a thumb and keep it; False when there can be none."""
        key = thumb_key(original.key, size)
        async with self._readable(*_below(store, original)) as source, self._scratch_file() as target:
            answer = await self._pool.run(_job(original, size, source, target))
            if answer.refusal:
                self._refused.add(key)
                _log.info("There is no thumb %s: %s", key, answer.refusal)
                return False
            md5 = await asyncio.to_thread(_md5, target)
            if isinstance(store, SealedFiles) and isinstance(original, SealedFile):
                await store.put_thumb(original, key, target, md5)
            else:
                name = f"{size.text}_{original.facts.original_name}"
                await store.put(key, target, Facts(original.facts.type, md5, name))
        return True

    @asynccontextmanager
    async def _readable(self, store: FileStore, stored: StoredFile) -> AsyncIterator[Path]:
        """What is stored of the original on this machine's disk, copied there if need be."""
        if path := store.path(stored):
            yield path
            return
        async with self._scratch_file() as copy:
            with await asyncio.to_thread(copy.open, "xb") as target:
                async for piece in store.read(stored):
                    await asyncio.to_thread(target.write, piece)
            yield copy

    @asynccontextmanager
    async def _scratch_file(self) -> AsyncIterator[Path]:
        """A name for a file that is gone afterwards."""
        await asyncio.to_thread(self._scratch.mkdir, parents=True, exist_ok=True)
        path = self._scratch / f"thumb_{random_text(24)}"
        try:
            yield path
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)


class _Memory:
    """Keys that are remembered for a while, the newest few thousand."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def add(self, key: str) -> None:
        self._until[key] = time.monotonic() + _MEMORY_SECONDS
        if len(self._until) > _REMEMBERED:
            del self._until[next(iter(self._until))]

    def __contains__(self, key: str) -> bool:
        return time.monotonic() < self._until.get(key, 0.0)


def thumb_key(key: str, size: Size) -> str:
    """Where a thumb of the file under a key lies."""
    folder, _, name = key.rpartition("/")
    return f"{folder}/thumbs_{name}/{size.text}_{name}"


def _below(store: FileStore, original: StoredFile) -> tuple[FileStore, StoredFile]:
    """What a store really has of an image, and where."""
    if isinstance(store, SealedFiles) and isinstance(original, SealedFile):
        return store.inner, original.stored
    return store, original


def _job(original: StoredFile, size: Size, source: Path, target: Path) -> Job:
    """What is to be done; of an encrypted image, with what it opens, which says nothing of other files."""
    job = Job(str(source.absolute()), original.facts.type, size, str(target.absolute()))
    if not isinstance(original, SealedFile):
        return job
    name = thumb_key(original.key, size).rpartition("/")[2]
    opened = SealedAs(original.lock, original.header, original.size)
    return structs.replace(job, source_sealed=opened, target_sealed=SealedAs(original.file_key.lock(name)))


def _md5(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
