"""What has arrived of resumable uploads: one part file each, whose size is the offset.

    ID.part      the bytes, in order, no more and no less than the offset says
    ID.checked   while a piece with a checksum arrives: the offset up to which all was right
    ID.wanted    somebody else would like to write, and the writer should go if nothing comes
    place        a name for the folder, so that servers can tell theirs from others'

Who writes holds a lock on the part file, which the system lets go when the process
dies. Before an offset is told to anybody, what it covers is on disk. A piece with a
checksum counts once it was found right: until then, also after a crash, the offset is the
one in ID.checked.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from undercroft.errors import StorageFull
from undercroft.files.tus_protocol import UploadLocked
from undercroft.ids import random_text

_PART: Final = ".part"
_CHECKED: Final = ".checked"
_WANTED: Final = ".wanted"
_SPARE: Final = 64 * 1024 * 1024  # bytes of the disk that uploads leave to others
_SYNC_EVERY: Final = 32 * 1024 * 1024


class Parts:
    """The folder of part files. Its calls touch the disk: run them on a thread."""

    def __init__(self, root: Path) -> None:
        self.root = root

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
        status = os.statvfs(self.root)
        if status.f_bavail * status.f_frsize < size + _SPARE:
            raise StorageFull

    def path(self, upload_id: str) -> Path:
        """Where the bytes of an upload are."""
        return self.root / (upload_id + _PART)

    def offset(self, upload_id: str) -> int:
        """How many bytes of an upload are there for good."""
        checked = [self._checked(upload_id)]
        try:
            with self.path(upload_id).open("rb") as part:
                size = os.fstat(part.fileno()).st_size
                os.fsync(part.fileno())
        except FileNotFoundError:
            return 0
        checked.append(self._checked(upload_id))
        return min([size, *(offset for offset in checked if offset is not None)])

    def open(self, upload_id: str) -> Part:
        """A part file to write to, begun if need be. Raises `UploadLocked`."""
        path = self.path(upload_id)
        while True:
            part = Part.lock(path)
            if part.is_at(path):
                part.trim(self._checked(upload_id))
                return part
            part.close()  # it was removed between opening and locking

    def remove(self, upload_ids: Iterable[str]) -> None:
        """Remove all there is of uploads."""
        for upload_id in upload_ids:
            for ending in (_PART, _CHECKED, _WANTED):
                (self.root / (upload_id + ending)).unlink(missing_ok=True)

    def listed(self) -> list[str]:
        """The ids of all uploads there is anything of."""
        if not self.root.exists():
            return []
        names = (path for path in self.root.iterdir() if path.suffix in {_PART, _CHECKED, _WANTED})
        return sorted({path.stem for path in names})

    def _checked(self, upload_id: str) -> int | None:
        try:
            text = (self.root / (upload_id + _CHECKED)).read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        return int(text) if text.isdigit() else None


class Part:
    """A part file that this request alone writes to, until it is closed."""

    def __init__(self, path: Path, file: int) -> None:
        self._path = path
        self._file = file
        self.offset = os.fstat(file).st_size
        self._synced = self.offset

    @classmethod
    def lock(cls, path: Path) -> Self:
        """Open and lock; raises `UploadLocked`, and lets the writer know that it is wanted."""
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            path.with_suffix(_WANTED).touch()
            raise UploadLocked from None
        path.with_suffix(_WANTED).unlink(missing_ok=True)
        return cls(path, file)

    def is_at(self, path: Path) -> bool:
        """Whether it is still the file of that name."""
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._file), path.stat())
        return False

    @property
    def is_wanted(self) -> bool:
        """Whether somebody else asked for it."""
        return self._path.with_suffix(_WANTED).exists()

    def expect_check(self) -> None:
        """Count nothing from here on until `keep`."""
        marker = self._path.with_suffix(_CHECKED)
        draft = marker.with_suffix(".draft")
        with draft.open("w", encoding="ascii") as target:
            target.write(str(self.offset))
            target.flush()
            os.fsync(target.fileno())
        draft.replace(marker)

    def append(self, data: bytes) -> None:
        """Add bytes at the end. Raises `StorageFull`."""
        view = memoryview(data)
        while view:
            written = _write(self._file, view, self.offset)
            self.offset += written
            view = view[written:]
        if self.offset - self._synced >= _SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        """Have on disk what was added."""
        os.fsync(self._file)
        self._synced = self.offset

    def keep(self) -> None:
        """Count all that was added."""
        self._path.with_suffix(_CHECKED).unlink(missing_ok=True)

    def trim(self, offset: int | None) -> None:
        """Go back to an offset, if there is one, and count from there."""
        if offset is not None:
            os.ftruncate(self._file, min(offset, self.offset))
            self.offset = min(offset, self.offset)
            self.sync()
            self.keep()

    def close(self) -> None:
        """Let others write."""
        os.close(self._file)


def _write(file: int, view: memoryview, offset: int) -> int:
    try:
        return os.pwrite(file, view, offset)
    except OSError as error:
        raise _told(error) from error


def _told(error: OSError) -> Exception:
    import errno

    return StorageFull() if error.errno in {errno.ENOSPC, errno.EDQUOT} else error
