"""Committed streams: one key, one content."""

from __future__ import annotations

from dataclasses import replace

import pytest

from undercroft.encryption.committed import LONGEST_NOTE, CommittedSealer, open_committed, read_header
from undercroft.encryption.failures import DecryptionFailed
from undercroft.encryption.lifecycle import new_set
from undercroft.encryption.streams import StreamOpener

PLAIN = bytes(range(256)) * 1000


@pytest.fixture
def key():
    return new_set("backup", "", "AES256_GCM_HKDF_STREAM").primary


def seal(key, note=b"who opens this"):
    sealer = CommittedSealer(key, note)
    return sealer.feed(PLAIN[:100]) + sealer.feed(PLAIN[100:]) + sealer.finish()


def open_all(key, sealed):
    header = read_header(sealed)
    assert header is not None
    opener = open_committed(key, header)
    return opener.feed(sealed[len(header.raw) :]) + opener.finish()


@pytest.mark.parametrize("note", [b"", b"who opens this", bytes(LONGEST_NOTE)])
def test_round_trip(key, note):
    """A stream comes back behind its header, which names its key and has the note."""
    sealed = seal(key, note)
    header = read_header(sealed)

    assert open_all(key, sealed) == PLAIN
    assert (header.key_id, header.note) == (key.id, note)
    assert sealed.startswith(header.raw)


def test_empty_stream(key):
    """A stream of nothing has a header, and an end that was sealed."""
    sealed = CommittedSealer(key).finish()
    header = read_header(sealed)
    opener = open_committed(key, header)

    assert opener.feed(sealed[len(header.raw) :]) + opener.finish() == b""


def test_header_in_pieces(key):
    """A header is read once all of it is there."""
    sealed = seal(key)
    size = len(read_header(sealed).raw)

    assert [read_header(sealed[:length]) for length in range(size)] == [None] * size
    assert read_header(sealed[:size]) == read_header(sealed)


def test_another_key(key):
    """Another key is refused by the header, before anything of the stream was read, also one of the same id."""
    other = new_set("backup", "", "AES256_GCM_HKDF_STREAM").primary
    header = read_header(seal(key))

    for wrong in (other, replace(other, id=key.id)):
        with pytest.raises(DecryptionFailed):
            open_committed(wrong, header)


def test_every_bit_of_the_header(key):
    """A header with one bit the other way is refused, or is none."""
    sealed = seal(key)
    size = len(read_header(sealed).raw)
    for bit in range(size * 8):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises((DecryptionFailed, AssertionError)):
            open_all(key, bytes(altered))


def test_stream_of_another_header(key):
    """A stream does not open behind the header of another one under the same key, nor behind none."""
    one, other = seal(key), seal(key)
    size = len(read_header(one).raw)

    with pytest.raises(DecryptionFailed):
        open_all(key, one[:size] + other[size:])
    bare = StreamOpener(key, b"")
    with pytest.raises(DecryptionFailed):
        bare.feed(one[size:])


@pytest.mark.parametrize("length", [1, 100, 65_000, 70_000])
def test_cut(key, length):
    """A stream that was cut is noticed at its end."""
    with pytest.raises(DecryptionFailed):
        open_all(key, seal(key)[:-length])


@pytest.mark.parametrize("start", [b"PK", b"UCS2", b"UCS1" + bytes(36) + b"\1\0\0\0"])
def test_no_header(start):
    """What does not begin like a committed stream, or says that its header is endless, is refused at once."""
    with pytest.raises(DecryptionFailed):
        read_header(start)


def test_note_is_short(key):
    """A note that nobody would read is not written."""
    with pytest.raises(ValueError):
        CommittedSealer(key, bytes(LONGEST_NOTE + 1))
