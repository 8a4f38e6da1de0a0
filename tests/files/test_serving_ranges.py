"""Parts of files: what is asked for is what comes, and no header costs more than it is long."""

import re
from random import Random

import pytest
from shelf import TEXT, make_shelf, put

from undercroft.testing import File

pytestmark = pytest.mark.sqlite_only("about bytes on their way, whatever holds the records")

LARGE = Random(7).randbytes(700_000)


@pytest.mark.parametrize(
    ("asked", "told", "body"),
    [
        ("bytes=0-3", "bytes 0-3/10", b"0123"),
        ("bytes=7-", "bytes 7-9/10", b"789"),
        ("bytes=-2", "bytes 8-9/10", b"89"),
        ("bytes=0-0,90-99", "bytes 0-0/10", b"0"),
    ],
)
async def test_part(client, asked, told, body):
    """One part comes as 206, with its place in the whole."""
    await make_shelf(client)
    shelf = await put(client)

    answer = await shelf.get(headers={"range": asked})

    assert (answer.status, answer.headers["content-range"], answer.body) == (206, told, body)
    assert answer.headers["content-length"] == str(len(body))
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


async def test_any_part_of_a_large_file(client, seed):
    """Parts that begin and end anywhere are those of the file."""
    await make_shelf(client)
    shelf, random = await put(client, open=File("large.bin", LARGE)), Random(seed)

    for _ in range(25):
        start, stop = sorted(random.sample(range(len(LARGE) + 1), 2))
        answer = await shelf.get(headers={"range": f"bytes={start}-{stop - 1}"})
        assert answer.body == LARGE[start:stop]


async def test_several_parts(client):
    """Several parts come in one body, each with its place."""
    await make_shelf(client)
    shelf = await put(client, open=File("large.bin", LARGE))

    answer = await shelf.get(headers={"range": "bytes=5-9,300000-500000,-7"})

    boundary = answer.headers["content-type"].removeprefix("multipart/byteranges; boundary=").encode()
    start, *parts, end = answer.body.split(b"--" + boundary)
    assert (answer.status, start, end) == (206, b"", b"--\r\n")
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "content-range" not in answer.headers
    found = [part.removeprefix(b"\r\n").removesuffix(b"\r\n").split(b"\r\n\r\n", 1) for part in parts]
    assert [body for _, body in found] == [LARGE[5:10], LARGE[300_000:500_001], LARGE[-7:]]
    assert [re.search(rb"content-range: (.*)", head)[1].decode() for head, _ in found] == [
        "bytes 5-9/700000",
        "bytes 300000-500000/700000",
        "bytes 699993-699999/700000",
    ]


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=-0", "bytes=99-100"])
async def test_part_that_is_not_there(client, asked):
    """Who asks for what lies behind the end is told how long the file is."""
    await make_shelf(client)
    shelf = await put(client)

    answer = await shelf.get(headers={"range": asked})

    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */10")
    assert {"cache-control", "etag", "accept-ranges"}.isdisjoint(answer.headers)


HOSTILE = [
    "bytes=" + ",".join(f"{n}-{n}" for n in range(10_000)),
    "bytes=" + ",".join(["0-9"] * 10_000),
    "bytes=" + ",".join(f"-{n}" for n in range(1, 5000)),
    "bytes=" + "0-," * 9,
    "bytes=0-" + "9" * 100_000,
    "bytes=" + "0" * 100_000 + "-",
    "bytes=" + "-" * 100_000,
    "bytes=" + "," * 100_000,
    "bytes=" + " " * 100_000 + "0-1",
    "bytes=\u0661-\u0663".encode().decode("latin-1"),
    "bytes=0-1, 0-1, 0-1, 0-1, 0-1, 0-1, 0-1, 0-1",
    "bytes=1e3-2e3",
    "bytes=0-18446744073709551616",
    "bytes=-18446744073709551616",
    "bytes=18446744073709551616-",
    "\xff\xfe=0-1",
    "=0-1",
    "=",
    "x" * 100_000,
]


async def test_hostile(client):
    """Ten thousand ranges, overlapping ones, digits of other scripts, huge numbers: never more than the file."""
    await make_shelf(client)
    shelf = await put(client)

    for asked in HOSTILE:
        answer = await shelf.get(headers={"range": asked})
        assert answer.status in {200, 206, 416}, asked[:40]
        assert len(answer.body) <= len(TEXT) + 1200, asked[:40]
        assert answer.status != 206 or answer.body.count(b"content-range") <= 8, asked[:40]
        assert answer.status != 200 or answer.body == TEXT, asked[:40]


async def test_continuing(client):
    """A download goes on where it broke off if the file is the same, and else begins anew."""
    await make_shelf(client)
    shelf = await put(client)
    known = (await shelf.get()).headers
    rest = {"range": "bytes=6-"}

    for same in (known["etag"], known["last-modified"]):
        assert (await shelf.get(headers=rest | {"if-range": same})).body == TEXT[6:]
    for other in ('"other"', "Fri, 01 Jan 2010 00:00:00 GMT", f"W/{known['etag']}"):
        answer = await shelf.get(headers=rest | {"if-range": other})
        assert (answer.status, answer.body) == (200, TEXT)


async def test_part_of_nothing(client):
    """Whether one may have a file is asked before which part."""
    await make_shelf(client, None)
    shelf = await put(client, secret=File("s.txt", TEXT))

    assert (await shelf.get("secret", headers={"range": "bytes=99-"})).status == 404
