"""Where uploads wait while they arrive and until their record is written: a folder beside the stored files.

It is on the file system of the local store, which takes a file from here by giving it a
second name. Each process has a folder of its own in it and holds a lock on that for as
long as it lives; a folder that nobody holds was left by one that died, and goes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from asyncio import to_thread
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from undercroft.encryption.file_keys import new_file_key
from undercroft.errors import TooLarge
from undercroft.files.local_folder import ABSENT, told_faults
from undercroft.files.staged import Arriving
from undercroft.http.upload import Upload
from undercroft.ids import random_text

EXCESS: Final = 32 * 1024 * 1024
"""Bytes that are read of a file beyond what anybody could want, so that its sender is told which file it is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a file: at most so many bytes, and whether it shall not be on a disk in clear."""

    most: int
    is_encrypted: bool = False


WantedOf = Callable[[str], Wanted | None]
"""What is wanted of a file that comes under a name; None when nobody wants such."""
_OLD: Final = 3600.0  # seconds after which nobody can still be writing a thumb
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Staging:
    """The waiting files of this process, in a folder that is shared with others.

    Those that shall be encrypted are bound to the app of that id.
    """

    def __init__(self, folder: Path, app_id: str) -> None:
        self.folder = folder
        self._app_id = app_id
        self._own: Path | None = None
        self._lock = -1

    def intake(self, wanted_of: WantedOf) -> StagingIntake:
        """An intake for files of the names under which any are wanted."""
        return StagingIntake(self, wanted_of)

    def arriving(self, filename: str, content_type: str, *, is_encrypted: bool) -> Arriving:
        """A file that is about to arrive. Raises `StorageFull` and `StoreUnavailable`."""
        key = new_file_key(self._app_id) if is_encrypted else None
        return Arriving(self.own() / random_text(24), filename, content_type, key)

    def own(self) -> Path:
        """The folder of this process. Raises `StorageFull` and `StoreUnavailable`."""
        with told_faults():
            while self._own is None:
                self._take(self.folder / random_text(16))
        return self._own

    async def discard(self, uploads: Iterable[Upload]) -> None:
        """Drop files that nobody waits for any more; those that are gone already are no error."""
        paths = [upload.path for upload in uploads if upload.path is not None]
        if paths:
            await to_thread(_remove, paths)

    async def sweep(self) -> int:
        """Drop what processes left that are no more; how many they were."""
        return await to_thread(self._sweep)

    def close(self) -> None:
        """Drop everything, and let go of the folder."""
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            os.close(self._lock)
            self._own, self._lock = None, -1

    def _take(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        lock = os.open(folder, _FOLDER)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            self._own, self._lock = folder, lock
        else:
            os.close(lock)  # somebody swept it away before it was locked

    def _sweep(self) -> int:
        count = 0
        with suppress(*ABSENT), told_faults():
            for folder in list(self.folder.iterdir()):
                count += folder != self._own and _clear(folder)
        return count


class StagingIntake:
    """Puts the files of one form into the staging folder."""

    def __init__(self, staging: Staging, wanted_of: WantedOf) -> None:
        self._staging = staging
        self._wanted_of = wanted_of

    def open(self, field: str, filename: str, content_type: str) -> _Bounded | None:
        """A sink for a file of a known name."""
        wanted = self._wanted_of(field)
        if wanted is None:
            return None
        arriving = self._staging.arriving(filename, content_type, is_encrypted=wanted.is_encrypted)
        return _Bounded(arriving, wanted.most)

    async def discard(self, uploads: Iterable[Upload]) -> None:
        """Drop files that have arrived."""
        await self._staging.discard(uploads)


class _Bounded:
    """A sink that keeps nothing of a file once it is too large, and at last reads no further."""

    def __init__(self, arriving: Arriving, limit: int) -> None:
        self._arriving = arriving
        self._limit = limit
        self._size = 0

    async def write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._limit:
            await self._arriving.write(data)
            return
        self._arriving.discard()
        if self._size > self._limit + EXCESS:
            raise TooLarge

    async def finish(self) -> Upload:
        if self._size <= self._limit:
            return await self._arriving.finish()
        return Upload(self._arriving.filename, self._arriving.content_type, self._size, "", "", None)

    def discard(self) -> None:
        self._arriving.discard()


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _clear(folder: Path) -> bool:
    """Remove a folder that nobody holds, or a plain file that is old; whether it was one."""
    try:
        lock = os.open(folder, _FOLDER)
    except NotADirectoryError:
        return _clear_old(folder)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _clear_old(path: Path) -> bool:
    with suppress(FileNotFoundError):
        if path.lstat().st_mtime < time.time() - _OLD:
            path.unlink()
            return True
    return False
