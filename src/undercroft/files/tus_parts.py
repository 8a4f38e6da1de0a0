"""What has arrived of resumable uploads: one part file each, whose size is the offset.

    ID.part      the bytes, in order, no more and no less than the offset says; sealed, where that is wanted, in frames
    ID.checked   while a piece with a checksum arrives: the offset up to which all is right
    ID.wanted    somebody else would like to write, and the writer should go if nothing comes
    place        a name for the folder, so that servers can tell theirs from others'

Who writes holds a lock on the part file, which the system lets go when the process
dies. Before an offset is told to anybody, what it covers is on disk. A piece with a
checksum counts once it was found right: until then, also after a crash, the offset is the
one in ID.checked.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from undercroft.errors import StorageFull
from undercroft.files.tus_frames import Frames, measure
from undercroft.files.tus_protocol import UploadLocked
from undercroft.ids import random_text

_PART: Final = ".part"
_CHECKED: Final = ".checked"
_WANTED: Final = ".wanted"
_ENDINGS: Final = (_PART, _CHECKED, _WANTED)
_SPARE: Final = 64 * 1024 * 1024  # bytes of the disk that uploads leave to others
_SYNC_EVERY: Final = 32 * 1024 * 1024  # so that the last sync, which the client waits for, is short
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Unfinished(Exception):
    """Not all bytes of an upload have arrived."""

    def __init__(self, offset: int, size: int) -> None:
        super().__init__(offset, size)
        self.offset = offset
        self.size = size


class Parts:
    """The folder of part files. Its calls touch the disk: run them on a thread."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def place(self) -> str:
        """The folder's name for itself; whoever comes first chooses it."""
        path = self.root / "place"
        if not path.exists():
            self.root.mkdir(parents=True, exist_ok=True)
            draft = self.root / f"place.{random_text(8)}"
            draft.write_text(random_text(16), encoding="ascii")
            with suppress(FileExistsError):
                path.hardlink_to(draft)
            draft.unlink()
        return path.read_text(encoding="ascii")

    def make_room(self, size: int) -> None:
        """Raise `StorageFull` when the disk cannot hold so many bytes more."""
        if shutil.disk_usage(self.root).free < size + _SPARE:
            raise StorageFull

    def path(self, upload_id: str) -> Path:
        """Where the bytes of an upload are."""
        return self.root / (upload_id + _PART)

    def offset(self, upload_id: str, *, is_sealed: bool = False) -> int:
        """How many bytes of an upload are there for good."""
        path = self.path(upload_id)
        checked = _read_checked(path)
        try:
            with path.open("rb") as part:
                size = measure(part.fileno()).offset if is_sealed else os.fstat(part.fileno()).st_size
                os.fsync(part.fileno())
        except FileNotFoundError:
            return 0
        # Asked again, as a piece may have begun or ended between the two looks.
        return min(offset for offset in (size, checked, _read_checked(path)) if offset is not None)

    def open(self, upload_id: str, frames: Frames | None = None) -> Part:
        """A part file to write to, begun if need be. Raises `UploadLocked`."""
        self.root.mkdir(parents=True, exist_ok=True)
        part = None
        while part is None:
            part = self._open(upload_id, os.O_RDWR | os.O_CREAT, frames)
        return part

    def take(self, upload_id: str, size: int, target: Path) -> None:
        """Give the whole upload a second name. Raises `Unfinished` and `UploadLocked`.

        Once it is whole nobody can change it any more, so that no copy is needed.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        if size == 0:
            target.touch()
            return
        with self._whole(upload_id, size) as part:
            part.sync()
            try:
                os.utime(self.path(upload_id))  # it is new where it goes to
                _link(self.path(upload_id), target)
            except FileNotFoundError:
                raise Unfinished(0, size) from None  # it was used up, and removed, since it was locked

    def pieces(self, upload_id: str, size: int, frames: Frames) -> Iterator[bytes]:
        """The content of a whole upload that is sealed. Raises `Unfinished`, `UploadLocked` and `DecryptionFailed`."""
        if size == 0:
            return iter(())
        with self._whole(upload_id, size, frames):
            return frames.read(self.path(upload_id).open("rb"))

    def remove(self, upload_ids: Iterable[str]) -> None:
        """Remove all there is of uploads."""
        for upload_id in upload_ids:
            for ending in _ENDINGS:
                (self.root / (upload_id + ending)).unlink(missing_ok=True)

    def listed(self) -> set[str]:
        """The ids of all uploads there is anything of."""
        if not self.root.exists():
            return set()
        return {path.stem for path in self.root.iterdir() if path.suffix in _ENDINGS}

    @contextmanager
    def _whole(self, upload_id: str, size: int, frames: Frames | None = None) -> Iterator[Part]:
        """A part file that has everything, locked."""
        part = self._open(upload_id, os.O_RDWR, frames)
        if part is None:
            raise Unfinished(0, size)
        try:
            part.recover()
            if part.offset != size:
                raise Unfinished(part.offset, size)
            yield part
        finally:
            part.close()

    def _open(self, upload_id: str, flags: int, frames: Frames | None) -> Part | None:
        """A locked part file; None when it is not there, or was removed before it was locked."""
        try:
            part = Part.lock(self.path(upload_id), flags, frames)
        except FileNotFoundError:
            return None
        if part.is_at_its_path():
            return part
        part.close()
        return None


class Part:
    """A part file that this request alone writes to, until it is closed; `offset` counts what came."""

    def __init__(self, path: Path, file: int, frames: Frames | None = None) -> None:
        self._path = path
        self._file = file
        self._frames = frames
        self.offset, self._end = self._measured()
        self._synced = self.offset
        self._is_new = self.offset == 0

    @classmethod
    def lock(cls, path: Path, flags: int, frames: Frames | None = None) -> Self:
        """Open and lock; raises `UploadLocked`, and lets the writer know that it is wanted."""
        file = os.open(path, flags | os.O_CLOEXEC, 0o600)
        wanted = path.with_suffix(_WANTED)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            wanted.touch()
            raise UploadLocked from None
        wanted.unlink(missing_ok=True)
        return cls(path, file, frames)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody else would like to write."""
        return self._path.with_suffix(_WANTED).exists()

    def is_at_its_path(self) -> bool:
        """Whether it is still the file of its name."""
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        return False

    def append(self, data: bytes) -> None:
        """Add bytes at the end. Raises `StorageFull`."""
        if self._frames is None:
            self._append_plain(data)
        else:
            self._append_frame(self._frames.seal(data, self.offset), len(data))
        if self.offset - self._synced >= _SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        """Have on disk what was added."""
        os.fsync(self._file)
        self._synced = self.offset
        if self._is_new:
            _sync_folder(self._path.parent)
            self._is_new = False

    def expect_check(self) -> None:
        """Count nothing from here on until `keep`."""
        with self._path.with_suffix(_CHECKED).open("w", encoding="ascii") as target:
            target.write(str(self.offset))
            target.flush()
            os.fsync(target.fileno())
        _sync_folder(self._path.parent)

    def keep(self) -> None:
        """Count all that was added."""
        self._path.with_suffix(_CHECKED).unlink(missing_ok=True)

    def recover(self) -> None:
        """Drop what was never found right, of a piece whose writer ended."""
        checked = _read_checked(self._path)
        if checked is not None:
            self.go_back(checked)

    def go_back(self, offset: int) -> None:
        """Drop what is behind an offset, and count from there."""
        self.offset, self._end = self._measured(min(offset, self.offset))
        os.ftruncate(self._file, self._end)
        self.sync()
        self.keep()

    def close(self) -> None:
        """Let others write."""
        os.close(self._file)

    def _append_plain(self, data: bytes) -> None:
        try:
            self._write(data)
        finally:
            self.offset = self._end

    def _append_frame(self, sealed: bytes, length: int) -> None:
        """Add a frame; one that is cut does not count."""
        before = self._end
        try:
            self._write(sealed)
        except BaseException:
            self._end = before
            os.ftruncate(self._file, before)
            raise
        self.offset += length

    def _measured(self, most: int | None = None) -> tuple[int, int]:
        """The offset, no further than `most`, and the end of what counts in the file; what was cut is dropped."""
        size = os.fstat(self._file).st_size
        if self._frames is None:
            return (size, size) if most is None else (most, most)
        extent = measure(self._file, most)
        os.ftruncate(self._file, extent.end)
        return extent.offset, extent.end

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = _write(self._file, rest, self._end)
            self._end += written
            rest = rest[written:]


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copyfile(source, target)


def _read_checked(path: Path) -> int | None:
    try:
        text = path.with_suffix(_CHECKED).read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    return int(text or 0)  # a crash may have cut its digits, which makes it smaller, never larger


def _write(file: int, data: memoryview, offset: int) -> int:
    try:
        return os.pwrite(file, data, offset)
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from error
        raise


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
