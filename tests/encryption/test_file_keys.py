"""Keys of files: what is sealed with them opens in its place alone, and in Google Tink as well."""

from __future__ import annotations

from random import Random

import pytest
from tinker import TinkStreams

from undercroft.encryption.failures import DecryptionFailed
from undercroft.encryption.file_keys import FilePlace, SealedStream, new_file_key, rewrap_file, unwrap_file, wrap_file
from undercroft.encryption.keyset import Key, KeySet
from undercroft.encryption.lifecycle import add, new_set, promote
from undercroft.encryption.streams import SEGMENT, cover

PLACE = FilePlace("app", "vault", "r1", "report_0a1b2c3d4e.pdf")
FILES = 500


@pytest.fixture
def keys():
    return new_set("file", "vault", "AES256_GCM_HKDF_STREAM")


def seal(content):
    """A sealed file, and what is to be known of it."""
    key = new_file_key("app")
    sealer = key.lock().sealer()
    sealed = sealer.feed(content) + sealer.finish()
    return sealed, SealedStream(key, sealer.header, len(content))


def binding_of(stream, place=PLACE):
    return place.binding(stream.key.version, stream.header, stream.size)


def as_set(material):
    """The key of a file as a set of keys, as Tink wants it."""
    return KeySet("file", "", (Key(1, "enabled", "AES256_GCM_HKDF_STREAM", material=material),), 1)


def edge_sizes(random):
    """Lengths around those at which a segment begins, and others."""
    room = SEGMENT - 16
    edges = {0, 1, *(room * n - 40 + by for n in (1, 2, 3) for by in (-1, 0, 1)), SEGMENT, 2 * SEGMENT}
    return [*sorted(edges), *(random.randrange(3 * SEGMENT) for _ in range(FILES - len(edges)))]


def test_our_files_open_in_tink(keys, seed):
    """With the exported keys of the collection Tink opens the key of a file, and with that the file."""
    random = Random(seed)
    collection = TinkStreams(keys)
    for size in edge_sizes(random):
        content = random.randbytes(size)
        sealed, stream = seal(content)
        wrapped = wrap_file(keys.primary, PLACE, stream, "application/pdf", "Report.pdf")

        contents = collection.open(wrapped, binding_of(stream))
        assert stream.key.material in contents
        assert TinkStreams(as_set(stream.key.material)).open(sealed, stream.key.lock().binding) == content


def test_files_of_tink_open_here(seed):
    """What Tink seals with the key of a file opens here, whole and in ranges."""
    random = Random(seed)
    for size in edge_sizes(random):
        content, key = random.randbytes(size), new_file_key("app")
        lock = key.lock()
        sealed = TinkStreams(as_set(key.material)).seal(content, lock.binding)
        opener = lock.opener()
        assert opener.feed(sealed) + opener.finish() == content
        if size:
            start, stop = sorted(random.sample(range(size + 1), 2))
            wanted = cover(start, stop, size)
            part = lock.range_opener(sealed[:40], wanted)
            assert part.feed(sealed[wanted.start : wanted.stop]) == content[start:stop]
            part.finish()


def test_what_is_wrapped(keys):
    """With the key of a file its type and its name are wrapped, and nothing of it can be read."""
    _, stream = seal(b"x")
    wrapped = wrap_file(keys.primary, PLACE, stream, "application/pdf", "Report.pdf")
    contents = unwrap_file(keys.primary, binding_of(stream), wrapped)

    assert (contents.key, contents.type, contents.name) == (stream.key.material, "application/pdf", "Report.pdf")
    assert contents.segment == SEGMENT
    assert not any(part in wrapped for part in (stream.key.material, b"application", b"Report"))
    assert stream.key.material.hex() not in repr((stream, contents, stream.key.lock()))


@pytest.mark.parametrize(
    "place",
    [
        FilePlace("another", "vault", "r1", PLACE.name),
        FilePlace("app", "another", "r1", PLACE.name),
        FilePlace("app", "vault", "r2", PLACE.name),
        FilePlace("app", "vault", "r1", "another.pdf"),
        FilePlace("app", "vaultr1", "", PLACE.name),
    ],
)
def test_in_another_place(keys, place):
    """The key of a file opens for its own app, collection, record and name."""
    _, stream = seal(b"x")
    wrapped = wrap_file(keys.primary, PLACE, stream, "text/plain", "x")

    with pytest.raises(DecryptionFailed):
        unwrap_file(keys.primary, binding_of(stream, place), wrapped)


@pytest.mark.parametrize(
    "changed",
    [
        lambda stream: PLACE.binding("another version", stream.header, stream.size),
        lambda stream: PLACE.binding(stream.key.version, bytes(40), stream.size),
        lambda stream: PLACE.binding(stream.key.version, stream.header, stream.size + 1),
    ],
)
def test_for_another_stream(keys, changed):
    """The key of a file opens for one version of it, of one length, that begins in one way."""
    _, stream = seal(b"x")
    wrapped = wrap_file(keys.primary, PLACE, stream, "text/plain", "x")

    with pytest.raises(DecryptionFailed):
        unwrap_file(keys.primary, changed(stream), wrapped)


def test_a_thumb_is_no_file():
    """What is sealed as a thumb opens neither as the file nor as another thumb, though the key is the same."""
    key = new_file_key("app")
    sealer = key.lock("40x20_a.jpg").sealer()
    sealed = sealer.feed(b"small") + sealer.finish()

    for lock in (key.lock(), key.lock("20x40_a.jpg")):
        opener = lock.opener()
        opener.feed(sealed)
        with pytest.raises(DecryptionFailed):
            opener.finish()


def test_wrapped_anew(keys):
    """A key of a file can be wrapped with another key of the collection, and the file stays as it is."""
    _, stream = seal(b"x")
    wrapped = wrap_file(keys.primary, PLACE, stream, "text/plain", "x")
    more, fresh = add(keys, "AES256_GCM_HKDF_STREAM")
    turned = promote(more, fresh.id)
    again = rewrap_file(keys.primary, turned.primary, binding_of(stream), wrapped)

    assert unwrap_file(turned.primary, binding_of(stream), again).key == stream.key.material
    with pytest.raises(DecryptionFailed):
        unwrap_file(keys.primary, binding_of(stream), again)
