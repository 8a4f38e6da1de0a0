"""Sealed streams: they come back whole, and whatever was done to them is noticed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from undercroft.encryption.failures import BadKeySet, DecryptionFailed
from undercroft.encryption.lifecycle import new_set
from undercroft.encryption.streams import (
    HEADER_BYTES,
    SEGMENT,
    StreamFinished,
    StreamOpener,
    StreamSealer,
    plain_size,
    sealed_size,
)

FIRST = SEGMENT - 16 - HEADER_BYTES
ROOM = SEGMENT - 16
EDGES = sorted({0, 1, 2, 15, 16, 17, 1000, *(FIRST + whole * ROOM + by for whole in range(4) for by in range(-17, 18))})


@pytest.fixture
def key():
    return new_set("file", "posts", "AES256_GCM_HKDF_STREAM").primary


def seal(key, plain, bound_to=b"posts/r1/a.png"):
    sealer = StreamSealer(key, bound_to)
    return sealer.feed(plain) + sealer.finish()


def open_all(key, sealed, bound_to=b"posts/r1/a.png"):
    opener = StreamOpener(key, bound_to)
    return opener.feed(sealed) + opener.finish()


def segments(sealed):
    """The header and the segments of a sealed stream."""
    ends = [HEADER_BYTES, *range(SEGMENT, len(sealed), SEGMENT), len(sealed)]
    return [sealed[:HEADER_BYTES], *(sealed[begin:end] for begin, end in pairwise(ends))]


@pytest.mark.parametrize("size", [0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + ROOM, FIRST + ROOM + 1, 300_000])
def test_round_trip(key, size, seed):
    """A stream comes back as it was, in whatever pieces it is fed, and its length is known in advance."""
    random = Random(seed)
    plain = random.randbytes(size)
    sealer, sealed = StreamSealer(key, b"x"), b""
    for piece in pieces(plain, random):
        sealed += sealer.feed(piece)
    sealed += sealer.finish()

    opener, opened = StreamOpener(key, b"x"), b""
    for piece in pieces(sealed, random):
        opened += opener.feed(piece)
    opened += opener.finish()

    assert opened == plain
    assert len(sealed) == sealed_size(size)
    assert plain_size(len(sealed)) == size
    assert sealed.startswith(sealer.header)


def pieces(whole, random):
    """The whole in pieces of random size, some of them empty."""
    begin = 0
    while begin < len(whole):
        end = begin + random.choice([0, 1, 7, 1000, 50_000, SEGMENT, 200_000])
        yield whole[begin:end]
        begin = end


def test_sizes():
    """Both ways of telling a length agree for every length around every edge, and no other length is one."""
    assert [plain_size(sealed_size(size)) for size in EDGES] == EDGES
    real = {sealed_size(size) for size in range(3 * SEGMENT)}
    for length in (*range(60), *range(SEGMENT - 60, SEGMENT + 60), *range(2 * SEGMENT - 60, 2 * SEGMENT + 60)):
        if length in real:
            assert sealed_size(plain_size(length)) == length
        else:
            with pytest.raises(DecryptionFailed):
                plain_size(length)


def test_little_is_held_back(key):
    """However long the stream, less than two segments wait to be sealed or opened."""
    sealer, opener = StreamSealer(key, b"x"), StreamOpener(key, b"x")
    fed = sealed = opened = 0
    for _ in range(200):
        ready = sealer.feed(bytes(10_000))
        fed, sealed, opened = fed + 10_000, sealed + len(ready), opened + len(opener.feed(ready))

        assert fed - sealed < SEGMENT + 10_000
        assert sealed - opened < SEGMENT + 10_000


def test_end_is_the_end(key):
    """A stream that was finished cannot be gone on with, since its nonces would be used again."""
    sealer = StreamSealer(key, b"x")
    sealer.feed(b"x")
    sealer.finish()

    with pytest.raises(StreamFinished):
        sealer.finish()
    with pytest.raises(StreamFinished):
        sealer.feed(b"x")


def test_no_two_are_alike(key):
    """The same bytes are sealed differently each time, and under a key of their own."""
    one, other = (segments(seal(key, bytes(100_000))) for _ in range(2))

    assert not set(one) & set(other)


def test_every_bit_counts(key):
    """A short stream with one bit the other way does not open, whichever bit it is."""
    sealed = seal(key, b"seven bytes")
    for bit in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DecryptionFailed):
            open_all(key, bytes(altered))


def test_every_segment_counts(key, seed):
    """A long stream with one byte changed gives nothing of the segment that it is in."""
    random = Random(seed)
    plain = random.randbytes(FIRST + 2 * ROOM + 500)
    sealed = seal(key, plain)
    for at in [random.randrange(len(sealed)) for _ in range(60)]:
        altered = bytearray(sealed)
        altered[at] ^= 0x40
        opened = open_until_refused(key, bytes(altered))

        assert plain.startswith(opened)
        assert len(opened) <= max(0, at // SEGMENT * ROOM - HEADER_BYTES)


def open_until_refused(key, sealed):
    """What comes out of a stream before it is refused, as it must be at some time."""
    opener, opened = StreamOpener(key, b"posts/r1/a.png"), b""
    try:
        for begin in range(0, len(sealed), 10_000):
            opened += opener.feed(sealed[begin : begin + 10_000])
        opener.finish()
    except DecryptionFailed:
        return opened
    raise AssertionError("nobody noticed")


def test_every_length_counts(key, seed):
    """A stream that was cut does not open to its end, wherever it was cut; nor does one that was made longer."""
    short = seal(key, b"short")
    long = seal(key, bytes(FIRST + ROOM + 100))
    cuts = [SEGMENT * whole + by for whole in (1, 2) for by in range(-20, 21)] + [
        Random(seed).randrange(len(long)) for _ in range(50)
    ]
    cut = [short[:length] for length in range(len(short))] + [long[:length] for length in cuts if length < len(long)]
    for sealed in (*cut, short + b"\0", long + b"\0", long + bytes(SEGMENT), short + short):
        with pytest.raises(DecryptionFailed):
            open_all(key, sealed)


@pytest.mark.parametrize(
    "order", [[0, 2, 1, 3], [0, 1, 3, 2], [0, 1, 1, 2, 3], [0, 1, 3], [0, 2, 3], [0, 1, 2], [0, 3]]
)
def test_other_order_of_segments(key, order):
    """Segments that were exchanged, repeated or left out are noticed."""
    parts = segments(seal(key, bytes(FIRST + ROOM + 1)))
    assert len(parts) == 4

    with pytest.raises(DecryptionFailed):
        open_all(key, b"".join(parts[number] for number in order))


@pytest.mark.parametrize("number", range(4))
def test_spliced(key, number):
    """A segment or the header of another stream of the same key, bound to the same, does not fit in."""
    parts, others = (segments(seal(key, bytes(FIRST + ROOM + 1))) for _ in range(2))
    parts[number] = others[number]

    with pytest.raises(DecryptionFailed):
        open_all(key, b"".join(parts))


def test_bound_to_its_place(key):
    """A stream does not open under another name, nor under another key."""
    sealed = seal(key, b"x")
    other = new_set("file", "posts", "AES256_GCM_HKDF_STREAM").primary

    with pytest.raises(DecryptionFailed):
        open_all(key, sealed, b"posts/r2/a.png")
    with pytest.raises(DecryptionFailed):
        open_all(other, sealed)


@pytest.mark.parametrize("changed", [{"algorithm": "AES256_GCM"}, {"state": "disabled"}])
def test_keys_for_something_else(key, changed):
    """A key that is for values, or is disabled, seals no streams."""
    with pytest.raises(BadKeySet):
        StreamSealer(replace(key, **changed), b"x")
