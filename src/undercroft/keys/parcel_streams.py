"""Parcels as streams: written through, found whole before anything of them is used, and read as if in clear."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, Final

from undercroft.encryption.committed import Committed, CommittedSealer, read_header
from undercroft.encryption.failures import DecryptionFailed
from undercroft.encryption.streams import StreamOpener
from undercroft.keys.parcels import ParcelDamaged

_AT_ONCE: Final = 256 * 1024


class ParcelWriter(io.RawIOBase):
    """Takes a content and writes it sealed; it is whole after `finish`, and not before."""

    def __init__(self, target: BinaryIO, sealer: CommittedSealer) -> None:
        self._target = target
        self._sealer = sealer

    def writable(self) -> bool:
        """It is written to."""
        return True

    def write(self, data: object) -> int:
        """Seal some more."""
        piece = bytes(data)  # type: ignore[call-overload]  # any buffer, whose type Python 3.11 has no name for
        self._target.write(self._sealer.feed(piece))
        return len(piece)

    def finish(self) -> None:
        """Write the end."""
        self._target.write(self._sealer.finish())
        self._target.flush()


class ParcelReader(io.RawIOBase):
    """The content of a parcel, whose header was read; `tell` says how far it is in what is encrypted."""

    def __init__(self, source: BinaryIO, opener: StreamOpener) -> None:
        self._source = source
        self._pieces = open_pieces(source, opener)
        self._ready = b""

    def readable(self) -> bool:
        """It is read from."""
        return True

    def tell(self) -> int:
        """How much of the file was read."""
        return self._source.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any buffer, as above
        """Fill a buffer. Raises `ParcelDamaged`."""
        if not self._ready:
            self._ready = next(self._pieces, b"")
        taken, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def find_header(source: BinaryIO) -> Committed:
    """The header at the beginning of a parcel, behind which the source stands then. Raises `ParcelDamaged`."""
    start = b""
    try:
        while (header := read_header(start)) is None:
            piece = source.read(_AT_ONCE)
            if not piece:
                raise ParcelDamaged
            start += piece
    except DecryptionFailed:
        raise ParcelDamaged from None
    source.seek(len(header.raw))
    return header


def check_whole(source: BinaryIO, opener: StreamOpener) -> None:
    """Nothing, if all of a parcel is there and as it was written. Raises `ParcelDamaged`."""
    for _ in open_pieces(source, opener):
        pass


def open_pieces(source: BinaryIO, opener: StreamOpener) -> Iterator[bytes]:
    """The content in pieces. Raises `ParcelDamaged`, at its end when the end is missing."""
    try:
        while piece := source.read(_AT_ONCE):
            if plain := opener.feed(piece):
                yield plain
        if last := opener.finish():
            yield last
    except DecryptionFailed:
        raise ParcelDamaged from None
