"""A sealed file on disk, read as if it were not: from anywhere in it, a segment or two at a time."""

from __future__ import annotations

import io
import os
from pathlib import Path

from undercroft.encryption.streams import SEGMENT, cover
from undercroft.files.thumb_jobs import SealedAs


def open_sealed(path: Path, sealed: SealedAs) -> io.BufferedReader:
    """The plain content of a file. Reading raises `DecryptionFailed` before any byte that is not right."""
    return io.BufferedReader(_Opened(path, sealed), SEGMENT)


class _Opened(io.RawIOBase):
    def __init__(self, path: Path, sealed: SealedAs) -> None:
        self._file = path.open("rb", buffering=0)
        self._sealed = sealed
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._sealed.size}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]  # whatever has a buffer has this one
        length = max(0, min(len(target), self._sealed.size - self._at))
        if length:
            target[:length] = self._read(length)
            self._at += length
        return length

    def _read(self, length: int) -> bytes:
        wanted = cover(self._at, self._at + length, self._sealed.size)
        opener = self._sealed.lock.range_opener(self._sealed.header, wanted)
        plain = opener.feed(os.pread(self._file.fileno(), wanted.stop - wanted.start, wanted.start))
        opener.finish()
        return plain

    def close(self) -> None:
        self._file.close()
        super().close()
