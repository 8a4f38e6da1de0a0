"""How many frames an image has, told from the blocks of its bytes: nothing is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import IO, Final

_PNG_START: Final = 8
_RIFF_START: Final = 12
_GIF_START: Final = 13
_GIF_FRAME: Final = b"\x2c"
_GIF_EXTENSION: Final = b"\x21"


def count_frames(source: IO[bytes], media_type: str, most: int) -> int:
    """The number of frames, counted up to `most`; 1 for types and files that do not tell."""
    walk = {"image/gif": _gif_frames, "image/png": _png_frames, "image/webp": _webp_frames}.get(media_type)
    if walk is None:
        return 1
    source.seek(0)
    return max(1, sum(1 for _ in islice(walk(source), most)))


def _gif_frames(source: IO[bytes]) -> Iterator[None]:
    """GIF89a: images and extensions, each ending in a chain of blocks of at most 255 bytes."""
    start = source.read(_GIF_START)
    if len(start) < _GIF_START:
        return
    source.seek(_palette_length(start[10]), 1)
    while True:
        introducer = source.read(1)
        if introducer == _GIF_FRAME:
            yield
            descriptor = source.read(9)
            if len(descriptor) < 9:
                return
            source.seek(_palette_length(descriptor[8]) + 1, 1)
        elif introducer == _GIF_EXTENSION:
            source.seek(1, 1)
        else:
            return
        _skip_blocks(source)


def _palette_length(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(source: IO[bytes]) -> None:
    while length := source.read(1):
        if length == b"\0":
            return
        source.seek(length[0], 1)


def _png_frames(source: IO[bytes]) -> Iterator[None]:
    """APNG: one `fcTL` chunk a frame."""
    source.seek(_PNG_START)
    while len(head := source.read(8)) == 8:
        if head[4:] == b"fcTL":
            yield
        source.seek(int.from_bytes(head[:4]) + 4, 1)


def _webp_frames(source: IO[bytes]) -> Iterator[None]:
    """WebP: one `ANMF` chunk a frame; chunks have even lengths."""
    source.seek(_RIFF_START)
    while len(head := source.read(8)) == 8:
        if head[:4] == b"ANMF":
            yield
        length = int.from_bytes(head[4:], "little")
        source.seek(length + (length & 1), 1)
