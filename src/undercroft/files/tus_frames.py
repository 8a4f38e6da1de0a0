"""What arrives of an upload, sealed piece by piece: so it is on no disk in clear, and can still be gone on with.

Each piece that is written becomes a frame: its length in four bytes, and then a stream of its own, under the key
of the upload and bound to the offset it begins at. A frame counts once it is there to its end; of a process that
was killed the last one is often cut, and is written over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from undercroft.encryption.failures import DecryptionFailed
from undercroft.encryption.file_keys import Lock
from undercroft.encryption.place import FORMAT, frame
from undercroft.encryption.streams import plain_size

_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Frames:
    """Seals and opens the frames of one upload."""

    upload_id: str
    key: bytes = field(repr=False)

    def seal(self, data: bytes, offset: int) -> bytes:
        """The frame of a piece that begins at an offset."""
        sealer = self._lock(offset).sealer()
        sealed = sealer.feed(data) + sealer.finish()
        return len(sealed).to_bytes(_LENGTH, "big") + sealed

    def read(self, source: BinaryIO) -> Iterator[bytes]:
        """All pieces that are in a file, which is closed after the last. Raises `DecryptionFailed`."""
        with source:
            offset = 0
            while sealed := source.read(int.from_bytes(source.read(_LENGTH), "big")):
                opener = self._lock(offset).opener()
                piece = opener.feed(sealed) + opener.finish()
                yield piece
                offset += len(piece)

    def _lock(self, offset: int) -> Lock:
        return Lock(self.key, frame(FORMAT, b"upload", self.upload_id.encode(), offset.to_bytes(8, "big")))


@dataclass(frozen=True, slots=True)
class Extent:
    """How many bytes of an upload are in a file, and how many of the file they take."""

    offset: int
    end: int


def measure(file: int, most: int | None = None) -> Extent:
    """The whole frames in an open file, up to an offset if one is given."""
    size, offset, end = os.fstat(file).st_size, 0, 0
    while length := int.from_bytes(os.pread(file, _LENGTH, end), "big"):
        after, beyond = offset + _plain_size(length), end + _LENGTH + length
        if after == offset or beyond > size or (most is not None and after > most):
            break
        offset, end = after, beyond
    return Extent(offset, end)


def _plain_size(length: int) -> int:
    """How long a piece was; 0 where no frame has such a length."""
    try:
        return plain_size(length)
    except DecryptionFailed:
        return 0
