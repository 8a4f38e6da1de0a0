"""What an image is made of, told from the blocks of its bytes before anything is decoded.

Each block is a frame, a note (a comment, a table, a text) or data. A JPEG that comes in
scans is worked over once for each, so that they count as frames.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Final, Literal

Block = Literal["frame", "note", "data"]

MOST: Final[Mapping[Block, int]] = {"frame": 100, "note": 50_000, "data": 500_000}

_PNG_START: Final = 8
_RIFF_START: Final = 12
_GIF_START: Final = 13
_JPEG_START: Final = 2
_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_SCAN: Final = b"\xff\xda"
_END: Final = b"\xff\xd9"
_PIECE: Final = 1 << 16


class TooManyBlocks(Exception):
    """An image is made of more parts than are worth the work."""

    def __init__(self, block: Block) -> None:
        super().__init__(f"It has more than {MOST[block]} {block} blocks.")


def check_blocks(source: IO[bytes], media_type: str) -> None:
    """Nothing, for an image with a bearable number of blocks. Raises `TooManyBlocks`."""
    counts: Counter[Block] = Counter()
    source.seek(0)
    for block in _WALKS.get(media_type, _no_blocks)(source):
        counts[block] += 1
        if counts[block] > MOST[block]:
            raise TooManyBlocks(block)


def _gif_blocks(source: IO[bytes]) -> Iterator[Block]:
    """GIF89a: images and extensions, each ending in a chain of blocks of at most 255 bytes."""
    start = source.read(_GIF_START)
    if len(start) < _GIF_START:
        return
    source.seek(_palette_length(start[10]), 1)
    while (introducer := source.read(1)) in (b",", b"!"):
        if introducer == b"!":
            source.seek(1, 1)
            yield from _gif_chain(source, "note")
            continue
        descriptor = source.read(9)
        if len(descriptor) < 9:
            return
        yield "frame"
        source.seek(_palette_length(descriptor[8]) + 1, 1)
        yield from _gif_chain(source, "data")


def _palette_length(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _gif_chain(source: IO[bytes], block: Block) -> Iterator[Block]:
    while (length := source.read(1)) not in (b"", b"\0"):
        yield block
        source.seek(length[0], 1)


def _png_blocks(source: IO[bytes]) -> Iterator[Block]:
    """PNG: chunks, of which `fcTL` begins a frame of an APNG."""
    source.seek(_PNG_START)
    while len(head := source.read(8)) == 8:
        yield "frame" if head[4:] == b"fcTL" else "note"
        source.seek(int.from_bytes(head[:4]) + 4, 1)


def _webp_blocks(source: IO[bytes]) -> Iterator[Block]:
    """WebP: chunks of even lengths, of which `ANMF` is a frame."""
    source.seek(_RIFF_START)
    while len(head := source.read(8)) == 8:
        yield "frame" if head[:4] == b"ANMF" else "note"
        length = int.from_bytes(head[4:], "little")
        source.seek(length + (length & 1), 1)


def _jpeg_blocks(source: IO[bytes]) -> Iterator[Block]:
    """JPEG: segments with a marker before them; a decoder skips whatever else lies between."""
    source.seek(_JPEG_START)
    while (marker := _next_marker(source)) not in (b"", _END):
        yield "frame" if marker == _SCAN else "note"
        length = int.from_bytes(source.read(2))
        source.seek(max(0, length - 2), 1)


def _next_marker(source: IO[bytes]) -> bytes:
    """Read to the end of the next marker; empty where there is none."""
    while len(piece := source.read(_PIECE)) > 1:
        if found := _MARKER.search(piece):
            source.seek(found.end() - len(piece), 1)
            return found[0]
        if piece.endswith(b"\xff"):
            source.seek(-1, 1)
    return b""


def _no_blocks(_: IO[bytes]) -> Iterator[Block]:
    return iter(())


_WALKS: Final[Mapping[str, Callable[[IO[bytes]], Iterator[Block]]]] = {
    "image/gif": _gif_blocks,
    "image/jpeg": _jpeg_blocks,
    "image/png": _png_blocks,
    "image/webp": _webp_blocks,
}
