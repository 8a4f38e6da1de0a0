"""A store of files keeps what it is given, whichever it is."""

from __future__ import annotations

import random

import pytest
from kept import facts_of, keep, keys, md5, read

from undercroft.files.store import NoSuchFile, StoreUnavailable

LARGE = 5 * 1024 * 1024 * 2 + 77


@pytest.mark.parametrize("size", [0, 1, 5 * 1024 * 1024, LARGE])
async def test_what_is_put_is_there(store, tmp_path, size):
    """A file comes back byte for byte, whatever its size, with what is known of it."""
    content = random.Random(size).randbytes(size)
    file = await keep(store, tmp_path, "c/r/a.bin", content, facts_of(content, 'Größe ☃ "1"%41.bin', "video/mp4"))

    assert await read(store, file) == content
    assert (file.size, file.facts.type, file.facts.original_name) == (size, "video/mp4", 'Größe ☃ "1"%41.bin')
    assert file.facts.md5 == file.etag == md5(content)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (7, 9), (5, None), (0, 10), (9, 10), (4, 4), (3, 99)])
async def test_a_part_is_read(store, tmp_path, start, stop):
    """A part of a file is what it is of the whole, and ends with it."""
    file = await keep(store, tmp_path, "c/r/a.txt", b"0123456789")

    assert await read(store, file, start, stop) == b"0123456789"[start:stop]


async def test_pieces_are_small(store, tmp_path):
    """No piece has more than 1 MiB."""
    file = await keep(store, tmp_path, "c/r/a.bin", bytes(LARGE))

    assert max([len(piece) async for piece in store.read(file)]) <= 1024 * 1024


async def test_nothing_is_there(store):
    """What was never put is not found, nor is what could never be."""
    assert [await store.find(key) for key in ("c/r/a.txt", "c/../a", "", "c/r/", "/", "c/r/a\0b")] == [None] * 6


async def test_other_content_is_refused(store, tmp_path):
    """A file whose MD5 is not the one that was said is not kept."""
    source = tmp_path / "source"
    source.write_bytes(b"hello")

    with pytest.raises(StoreUnavailable):
        await store.put("c/r/a.txt", source, facts_of(b"other"))

    assert await store.find("c/r/a.txt") is None


async def test_gone_while_it_is_read(store, tmp_path):
    """A file that is deleted between finding and reading is not there."""
    file = await keep(store, tmp_path, "c/r/a.txt")
    await store.delete(["c/r/a.txt"])

    with pytest.raises(NoSuchFile):
        await read(store, file)


async def test_deleting_takes_the_thumbs(store, tmp_path):
    """With a file goes what was made from it, and nothing else; what is gone already is no error."""
    for key in ("c/r/a.png", "c/r/thumbs_a.png/1x1_a.png", "c/r/thumbs_a.png/2x2_a.png", "c/r/a.png2", "c/r2/a.png"):
        await keep(store, tmp_path, key)

    await store.delete(["c/r/a.png", "c/r/never.png"])

    assert await keys(store) == ["c/r/a.png2", "c/r2/a.png"]


async def test_deleting_a_folder(store, tmp_path):
    """A key that ends in a slash stands for everything below it, and not for names that begin alike."""
    for key in ("c/r/a", "c/r/b", "c/r2/a", "c2/r/a"):
        await keep(store, tmp_path, key)

    await store.delete(["c/r/"])
    assert await keys(store) == ["c/r2/a", "c2/r/a"]

    await store.delete(["c/", "none/"])
    assert await keys(store) == ["c2/r/a"]


@pytest.mark.parametrize(
    ("prefix", "found"),
    [("", 4), ("c/", 3), ("c/r/", 2), ("c/r", 3), ("c/r/a", 2), ("c/r/ab", 1), ("x", 0), ("c/r/a.", 0)],
)
async def test_listing(store, tmp_path, prefix, found):
    """All files whose keys begin with a text are listed, with their sizes."""
    for key in ("c/r/a", "c/r/ab", "c/r2/a", "c2/r/a"):
        await keep(store, tmp_path, key)

    listed = [file async for file in store.list(prefix)]

    assert len(listed) == found
    assert {file.size for file in listed} <= {5}


@pytest.mark.parametrize(
    "name", ["a b.txt", "a+b.txt", "a%20b.txt", "a=b#c*.txt", "a&b;c.txt", "名前.txt", "~a'(1)!.txt"]
)
async def test_odd_names(store, tmp_path, name):
    """A key may have any characters that a name may have."""
    file = await keep(store, tmp_path, f"c/r/{name}", name.encode())

    assert await read(store, file) == name.encode()
    assert await keys(store) == [f"c/r/{name}"]
    await store.delete([f"c/r/{name}"])
    assert await keys(store) == []


@pytest.mark.parametrize(
    "name", ["a\r\nx-amz-acl: public-read", "a\0b", "\u202egpj.exe", "../../etc/passwd", "%0d%0a", " a "]
)
async def test_hostile_names(store, tmp_path, name):
    """The name that a file came with is kept as it was, whatever it is, and does nothing else."""
    file = await keep(store, tmp_path, "c/r/a.txt", b"hello", facts_of(b"hello", name))

    assert (file.facts.original_name, file.facts.type) == (name, "text/plain")


async def test_a_long_name_is_cut(store, tmp_path):
    """A name that is too long to be kept beside a file is cut between two characters."""
    file = await keep(store, tmp_path, "c/r/a.txt", b"hello", facts_of(b"hello", "☃" * 3000))

    assert file.facts.original_name in {"☃" * count for count in range(100, 3001)}
