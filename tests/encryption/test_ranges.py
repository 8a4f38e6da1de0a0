"""Ranges of sealed streams: only what they touch is read, and all of what they touch is checked."""

from __future__ import annotations

from random import Random

import pytest

from undercroft.encryption.failures import DecryptionFailed
from undercroft.encryption.lifecycle import new_set
from undercroft.encryption.streams import HEADER_BYTES, SEGMENT, RangeOpener, StreamSealer, cover, sealed_size

ROOM = SEGMENT - 16
FIRST = ROOM - HEADER_BYTES


class Shelf:
    """A sealed stream of random bytes, and what it was."""

    def __init__(self, size, seed):
        self.key = new_set("file", "posts", "AES256_GCM_HKDF_STREAM").primary
        self.plain = Random(seed).randbytes(size)
        sealer = StreamSealer(self.key, b"x")
        self.sealed = sealer.feed(self.plain) + sealer.finish()

    def read(self, start, stop, sealed=None):
        """The bytes of a range, of nothing but what has to be fetched for it."""
        sealed = sealed or self.sealed
        wanted = cover(start, stop, len(self.plain))
        opener = RangeOpener(self.key, b"x", sealed[:HEADER_BYTES], wanted)
        opened = b"".join(
            opener.feed(sealed[at : min(at + 30_000, wanted.stop)]) for at in range(wanted.start, wanted.stop, 30_000)
        )
        opener.finish()
        return opened


@pytest.mark.parametrize("size", [1, FIRST, FIRST + 1, FIRST + ROOM, 3 * ROOM, 500_000])
def test_random_ranges(size, seed):
    """Ranges of every kind are what the same range of the plain bytes is."""
    shelf, random = Shelf(size, seed), Random(seed)
    edges = {0, 1, size - 1, size, *(FIRST + whole * ROOM + by for whole in range(8) for by in (-1, 0, 1))}
    inside = sorted(edge for edge in edges if 0 <= edge <= size)
    ranges = [(0, size), (size - 1, size), *((a, b) for a in inside for b in inside if a < b)]
    ranges += [tuple(sorted(random.sample(range(size + 1), 2))) for _ in range(200 if size > 1 else 0)]
    for start, stop in ranges[:300]:
        assert shelf.read(start, stop) == shelf.plain[start:stop]


def test_only_what_is_touched():
    """One byte takes one segment; two bytes on both sides of an edge take two."""
    size = FIRST + 3 * ROOM
    assert cover(0, 1, size).stop - cover(0, 1, size).start == SEGMENT - HEADER_BYTES
    assert cover(FIRST, FIRST + 1, size).start == SEGMENT
    assert cover(FIRST, FIRST + 1, size).stop == 2 * SEGMENT
    assert cover(FIRST - 1, FIRST + 1, size).stop == 2 * SEGMENT
    assert cover(size - 1, size, size).stop == sealed_size(size)


@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (0, 0), (2, 1), (0, 11), (11, 12)])
def test_no_range(start, stop):
    """A range without a byte in it, or beyond the end, is none."""
    with pytest.raises(ValueError):
        cover(start, stop, 10)


def test_every_bit_of_what_is_touched(seed):
    """A changed byte is noticed by the ranges whose segments it is in, and by no others."""
    shelf, random = Shelf(FIRST + 2 * ROOM + 10, seed), Random(seed)
    for at in [random.randrange(HEADER_BYTES, len(shelf.sealed)) for _ in range(40)]:
        altered = bytearray(shelf.sealed)
        altered[at] ^= 1
        for number in range(4):
            start = max(0, number * ROOM - HEADER_BYTES)
            if at // SEGMENT == number:
                with pytest.raises(DecryptionFailed):
                    shelf.read(start, start + 5, bytes(altered))
            else:
                assert shelf.read(start, start + 5, bytes(altered)) == shelf.plain[start : start + 5]


def test_range_that_does_not_arrive():
    """A range whose bytes end early, or go on, is not taken for a whole one."""
    shelf = Shelf(100_000, 0)
    wanted = cover(10, 90_000, 100_000)
    whole = shelf.sealed[wanted.start : wanted.stop]
    for fetched, comes in ((b"", 0), (whole[:-1], FIRST - 10), (whole + b"\0", 90_000 - 10)):
        opener = RangeOpener(shelf.key, b"x", shelf.sealed[:HEADER_BYTES], wanted)

        assert len(opener.feed(fetched)) == comes
        with pytest.raises(DecryptionFailed):
            opener.finish()


def test_size_that_is_not_true():
    """A stream that was cut at the end of a segment does not pass for one that ended there."""
    shelf = Shelf(FIRST + ROOM, 0)
    wanted = cover(0, FIRST, FIRST)
    opener = RangeOpener(shelf.key, b"x", shelf.sealed[:HEADER_BYTES], wanted)

    with pytest.raises(DecryptionFailed):
        opener.feed(shelf.sealed[wanted.start : wanted.stop])


@pytest.mark.parametrize(
    "header", [b"", bytes(40), bytes([40]) * 39, bytes([41]) * 41], ids=["none", "zeros", "short", "long"]
)
def test_no_header(header):
    """What is no header opens nothing."""
    shelf = Shelf(10, 0)

    with pytest.raises(DecryptionFailed):
        RangeOpener(shelf.key, b"x", header, cover(0, 1, 10))
