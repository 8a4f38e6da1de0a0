"""Parts of encrypted files: exactly what was asked for, and of what was altered not one wrong byte."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import pairwise
from random import Random

import pytest
from pictures import encode, quarters
from stored import stored
from talking import Connection
from vault import make_vault, put, store_bytes, stored_bytes

from undercroft.encryption.streams import HEADER_BYTES, SEGMENT
from undercroft.http.file_body import FileCut
from undercroft.keys.audit import list_entries
from undercroft.testing import File

pytestmark = pytest.mark.sqlite_only("about bytes on their way, whatever holds the records")

SIZE = 5 * SEGMENT + 12_345
CONTENT = Random(17).randbytes(SIZE)
RANGES = 200
PHOTO = encode(quarters(), "image/jpeg")


@pytest.fixture
async def vault(client):
    await make_vault(client)
    return client


@pytest.fixture
async def kept(vault):
    return await put(vault, doc=CONTENT)


async def test_any_range(kept, seed):
    """Two hundred ranges that begin and end anywhere are those of the content."""
    random = Random(seed)
    for _ in range(RANGES):
        start, stop = sorted(random.sample(range(SIZE + 1), 2))
        answer = await kept.get(headers={"range": f"bytes={start}-{stop - 1}"})
        assert (answer.status, answer.headers["content-range"]) == (206, f"bytes {start}-{stop - 1}/{SIZE}")
        assert answer.body == CONTENT[start:stop]


@pytest.mark.parametrize("length", [1, SEGMENT - 17, SEGMENT, 2 * SEGMENT + 1, SIZE - 1, SIZE, SIZE + 1])
async def test_end_of_a_file(kept, length):
    """The last so many bytes are those of the content, or all of it where there are fewer."""
    answer = await kept.get(headers={"range": f"bytes=-{length}"})

    assert (answer.status, answer.body) == (206, CONTENT[-length:])


async def test_range_to_the_end(kept):
    """A range without an end goes to that of the content."""
    answer = await kept.get(headers={"range": f"bytes={SIZE - 100_000}-"})

    assert (answer.status, answer.body) == (206, CONTENT[-100_000:])


async def test_several_ranges(kept):
    """Several ranges come in one body, each with its place."""
    asked = [(5, 9), (SEGMENT - 60, SEGMENT + 60), (SIZE - 7, SIZE - 1)]
    wanted = ",".join(f"{start}-{end}" for start, end in asked)
    answer = await kept.get(headers={"range": f"bytes={wanted}"})

    boundary = answer.headers["content-type"].removeprefix("multipart/byteranges; boundary=").encode()
    _, *parts, end = answer.body.split(b"--" + boundary)
    found = [part.removeprefix(b"\r\n").removesuffix(b"\r\n").split(b"\r\n\r\n", 1) for part in parts]
    assert (answer.status, end) == (206, b"--\r\n")
    assert [body for _, body in found] == [CONTENT[start : stop + 1] for start, stop in asked]
    assert [re.search(rb"content-range: (.*)", head)[1].decode() for head, _ in found] == [
        f"bytes {start}-{stop}/{SIZE}" for start, stop in asked
    ]


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=-0"])
async def test_range_behind_the_end(kept, asked):
    """Who asks for what lies behind the end is told how long the content is."""
    answer = await kept.get(headers={"range": asked})

    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{SIZE}")


async def test_if_range(kept):
    """A range goes on with what one has, and with something else all of it comes."""
    tag = (await kept.get(headers={"range": "bytes=0-0"})).headers["etag"]

    same = await kept.get(headers={"range": "bytes=7-9", "if-range": tag})
    other = await kept.get(headers={"range": "bytes=7-9", "if-range": '"another"'})

    assert (same.status, same.body) == (206, CONTENT[7:10])
    assert (other.status, other.body) == (200, CONTENT)


async def test_only_what_is_touched_is_read(kept, monkeypatch):
    """Of the store a range takes the segments it touches, and no more."""
    store = kept.client.backend.files.inner
    asked, read = [], store.read

    def watched(file, start=0, stop=None):
        asked.append((start, stop))
        return read(file, start, stop)

    monkeypatch.setattr(store, "read", watched)
    start = 2 * SEGMENT + 100
    await kept.get(headers={"range": f"bytes={start}-{start + 9}"})

    assert asked == [(2 * SEGMENT, 3 * SEGMENT)]


def segments(sealed):
    """The header, and each segment."""
    cuts = [0, HEADER_BYTES, *range(SEGMENT, len(sealed), SEGMENT), len(sealed)]
    return [sealed[start:stop] for start, stop in pairwise(cuts)]


def flip(sealed, at):
    return sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]


def exchange(sealed, one, other):
    parts = segments(sealed)
    parts[one], parts[other] = parts[other], parts[one]
    return b"".join(parts)


def repeat(sealed, one):
    parts = segments(sealed)
    parts[one] = parts[one + 1]
    return b"".join(parts)


ALTERED = {
    "a bit of the first segment": lambda sealed: flip(sealed, HEADER_BYTES + 5),
    "segments 1 and 2 exchanged": lambda sealed: exchange(sealed, 2, 3),
    "segment 2 in place of 1": lambda sealed: repeat(sealed, 2),
    "a bit of the last segment": lambda sealed: flip(sealed, len(sealed) - 20),
    "its last bit": lambda sealed: flip(sealed, len(sealed) - 1),
    "one byte short": lambda sealed: sealed[:-1],
    "a segment short": lambda sealed: sealed[: 3 * SEGMENT],
    "all but the header gone": lambda sealed: sealed[:HEADER_BYTES],
    "empty": lambda sealed: sealed[:0],
    "a byte longer": lambda sealed: sealed + b"x",
    "a segment longer": lambda sealed: sealed + sealed[-SEGMENT:],
    "a plain file": lambda sealed: b"<script>alert(1)</script>".ljust(len(sealed)),
}
REFUSED_WHOLE = [how for how in ALTERED if how not in ("a bit of the last segment", "its last bit")]


@pytest.mark.parametrize("how", ALTERED)
async def test_altered_in_the_store(kept, tmp_path, how):
    """What was altered is refused, or breaks off before the first byte that is not right; no range has a wrong one."""
    key = await kept.stored_key()
    await store_bytes(kept.client, tmp_path, key, ALTERED[how](await stored_bytes(kept.client, key)))
    talk = Connection(kept.client.app, kept.path())

    try:
        await talk.talk()
        is_whole = talk.messages[0]["status"] == 200
    except FileCut:
        is_whole = False

    if talk.messages[0]["status"] == 200:
        assert CONTENT.startswith(talk.body)
        assert talk.messages[-1]["more_body"]
    else:
        assert talk.messages[0]["status"] == 500
        assert b"decrypt" in talk.body
    assert not is_whole
    await assert_ranges_are_right(kept, Random(how))


async def assert_ranges_are_right(kept, random):
    """Whatever a range touches, its answer is right or none."""
    for _ in range(20):
        start, stop = sorted(random.sample(range(SIZE + 1), 2))
        try:
            answer = await kept.get(headers={"range": f"bytes={start}-{stop - 1}"})
        except FileCut:
            continue
        assert (answer.status, answer.body) == (206, CONTENT[start:stop]) or answer.code == "decryption_failed"


async def test_two_files_exchanged(vault, tmp_path):
    """Two files whose bytes change places in the store are refused, both."""
    one, other = await put(vault, doc=CONTENT), await put(vault, doc=CONTENT[::-1])
    keys = [await one.stored_key(), await other.stored_key()]
    contents = [await stored_bytes(vault, key) for key in keys]
    for key, content in zip(keys, reversed(contents), strict=True):
        await store_bytes(vault, tmp_path, key, content)

    answers = [await one.get(), await other.get()]

    assert [(answer.status, answer.code) for answer in answers] == [(500, "decryption_failed")] * 2


async def test_segments_of_two_files_exchanged(vault, tmp_path):
    """A segment of another file, at the same place in it, is refused."""
    one, other = await put(vault, doc=CONTENT), await put(vault, doc=CONTENT)
    key = await one.stored_key()
    mixed, foreign = (
        segments(await stored_bytes(vault, key)),
        segments(await stored_bytes(vault, await other.stored_key())),
    )
    mixed[1] = foreign[1]
    await store_bytes(vault, tmp_path, key, b"".join(mixed))

    assert (await one.get()).code == "decryption_failed"


async def test_a_plain_file_in_its_place(kept, tmp_path):
    """Who can write to the store cannot have anything served: the database knows what there is."""
    await store_bytes(kept.client, tmp_path, kept.key(), b"<script>alert(1)</script>")
    await kept.client.backend.files.inner.delete([await kept.stored_key()])

    assert (await kept.get()).status == 404


async def test_an_altered_thumb(vault, tmp_path):
    """A thumb that was altered, or is that of another image, is refused."""
    one = await put(vault, photo=File("one.jpg", PHOTO))
    other = await put(vault, photo=File("other.jpg", PHOTO))
    for each in (one, other):
        assert (await vault.get(each.path("photo"), thumb="40x20")).status == 200
    there = [key for key in await stored(vault) if "/thumbs_" in key]
    mine, theirs = (next(key for key in there if each.id in key) for each in (one, other))

    await store_bytes(vault, tmp_path, mine, await stored_bytes(vault, theirs))

    assert (await vault.get(one.path("photo"), thumb="40x20")).code == "decryption_failed"
    assert (await vault.get(other.path("photo"), thumb="40x20")).status == 200


@pytest.mark.parametrize("segment", [1, 3])
async def test_what_does_not_open_is_written_down(kept, tmp_path, segment):
    """A file that was altered, in its first piece or where it is half sent, is in the audit log by its key."""
    key = await kept.stored_key()
    altered = segments(await stored_bytes(kept.client, key))
    altered[segment] = altered[segment][:-1] + bytes([altered[segment][-1] ^ 1])
    await store_bytes(kept.client, tmp_path, key, b"".join(altered))
    with suppress(FileCut):
        await kept.get()  # an answer that was begun is cut

    await kept.client.app._company._keeper._write_down()
    entries = await list_entries(kept.client.backend.engine)

    assert [e.detail["value"] for e in entries if e.event == "decryption_failed"] == [kept.key()]
