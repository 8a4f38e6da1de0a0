"""Resumable uploads speak tus 1.0: the core protocol, and five of its extensions."""

import asyncio
import hashlib
import time
from base64 import b64encode
from email.utils import parsedate_to_datetime

import pytest
from tus import PIECE, TUS, Feeding, begin, file_field, look, offset_of, send

from undercroft.files import tus
from undercroft.files.tus_state import find_upload, forget_old_uploads, has_old_uploads

pytestmark = pytest.mark.local_only("what has arrived of an upload is on this disk, wherever files go in the end")

MIB = 1024 * 1024
PAPERS = {"name": "papers", "type": "base", "fields": [file_field()]} | dict.fromkeys(
    ("listRule", "viewRule", "createRule", "updateRule"), ""
)


@pytest.fixture
async def root(client):
    token = await client.superuser()
    answer = await client.post("/api/collections", PAPERS, as_=token)
    assert answer.status == 200, answer.text
    return token


@pytest.fixture
async def place(client, root):
    """An upload of ten bytes that was begun."""
    return (await begin(client, 10, filename="a.txt")).headers["location"]


def checksum(content, algorithm="sha1"):
    digest = hashlib.new(algorithm, content).digest()
    return {"upload-checksum": f"{algorithm} {b64encode(digest).decode()}"}


async def test_discovery(client, root):
    """OPTIONS tells the version, the extensions, the checksums and the largest upload."""
    answer = await client.request("OPTIONS", "/api/uploads")

    assert answer.status == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-extension"] == "creation,creation-with-upload,termination,checksum,expiration"
    assert answer.headers["tus-checksum-algorithm"].split(",")[0] == "sha1"
    assert answer.headers["tus-max-size"] == str(5 * MIB)


async def test_an_upload_in_pieces(client, place):
    """Pieces add up, and each answer tells how far it is."""
    first = await send(client, place, 0, b"0123")
    second = await send(client, place, 4, b"456789")

    assert (first.status, first.headers["upload-offset"]) == (204, "4")
    assert (second.status, second.headers["upload-offset"]) == (204, "10")
    assert await offset_of(client, place) == 10


async def test_looking(client, place):
    """HEAD tells the offset, the length and the metadata, and is not to be cached."""
    answer = await look(client, place)

    assert answer.status == 200
    told = {name: answer.headers[name] for name in ("upload-offset", "upload-length", "upload-metadata")}
    assert told == {"upload-offset": "0", "upload-length": "10", "upload-metadata": "filename YS50eHQ="}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.body == b""


async def test_an_empty_upload(client, root):
    """An upload of no bytes is whole as soon as it is begun."""
    begun = await begin(client, 0)

    assert begun.status == 201
    assert await offset_of(client, begun.headers["location"]) == 0


async def test_a_piece_in_the_wrong_place(client, place):
    """A piece that does not begin where the upload ends is refused, and nothing changes."""
    await send(client, place, 0, b"01234")

    for offset in (0, 4, 6):
        answer = await send(client, place, offset, b"x")
        assert (answer.status, answer.error.code) == (409, "wrong_offset")
    assert await offset_of(client, place) == 5


async def test_a_piece_of_another_type(client, place):
    """Only pieces that call themselves pieces are taken."""
    answer = await client.patch(place, {"title": "a"}, headers=TUS | {"upload-offset": "0"})

    assert (answer.status, answer.error.code) == (415, "not_an_upload")


@pytest.mark.parametrize("version", [None, "0.2.2", "1.0.1"])
async def test_other_versions(client, place, version):
    """Who speaks another version, or does not say which, is told ours."""
    told = PIECE | {"tus-resumable": version or ""}

    for method, path in [("POST", "/api/uploads"), ("HEAD", place), ("PATCH", place), ("DELETE", place)]:
        answer = await client.request(method, path, headers=told)
        assert answer.status == 412
        assert answer.headers["tus-version"] == "1.0.0"


async def test_every_answer_names_the_version(client, place):
    """Also the answer to a bad request."""
    answers = [await send(client, place, 7, b"x"), await look(client, place + "x"), await begin(client, -1)]

    assert [answer.headers["tus-resumable"] for answer in answers] == ["1.0.0"] * 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("upload-length", "-1"),
        ("upload-length", "1e3"),
        ("upload-length", "٣"),
        ("upload-length", "9" * 30),
        ("upload-length", ""),
        ("upload-metadata", "filename b"),
        ("upload-metadata", "a YQ==,,b"),
        ("upload-metadata", "a YQ==,a YQ=="),
        ("upload-metadata", "a /w=="),
        ("upload-metadata", "a AA=="),
        ("upload-metadata", "a " + "A" * 8000),
        ("upload-checksum", "crc7 AAAA"),
        ("upload-checksum", "sha1 ?"),
    ],
)
async def test_headers_that_make_no_sense(client, root, name, value):
    """A header that cannot be read is named, and nothing is begun."""
    told = TUS | {"upload-length": "10"} | {name: value.encode().decode("latin-1")}
    answer = await client.post("/api/uploads", headers=told)

    assert (answer.status, answer.error.code) == (400, "bad_upload_header")
    assert name in answer.error.message.lower() or "algorithm" in answer.error.message


async def test_a_length_that_comes_later(client, root):
    """An upload whose length is not known is refused, as no extension for it is offered."""
    answer = await client.post("/api/uploads", headers=TUS | {"upload-defer-length": "1"})

    assert (answer.status, answer.error.code) == (400, "bad_upload_header")


async def test_more_than_was_announced(client, place):
    """Bytes beyond the announced length are refused, and so is the piece they came with."""
    announced = await send(client, place, 0, b"x" * 11)
    feeding = Feeding(client, place, 0)
    feeding.feed(b"x" * 11)
    unannounced = await feeding.end()

    assert [(answer.status, answer.error.code) for answer in (announced, unannounced)] == [
        (413, "upload_too_large")
    ] * 2
    assert await offset_of(client, place) == 0


async def test_a_client_that_goes_away(client, place):
    """What had arrived when the client went away is kept, and the upload goes on from there."""
    feeding = Feeding(client, place, 0)
    feeding.feed(b"012")
    feeding.feed(b"3")
    await feeding.cut()

    assert await offset_of(client, place) == 4
    assert (await send(client, place, 4, b"456789")).status == 204


async def test_two_writers(client, root):
    """While one request writes another one is told to wait, and what the first one wrote stands."""
    place = (await begin(client, 1000)).headers["location"]
    first = Feeding(client, place, 0)
    feeding = keep_feeding(first)
    await until_offset(client, place, 1)

    second = await send(client, place, 0, b"abc")
    feeding.cancel()
    done = await first.end()

    assert (second.status, second.error.code) == (423, "upload_locked")
    assert done.status == 204
    assert await offset_of(client, place) == int(done.headers["upload-offset"])


async def until_offset(client, place, offset):
    async with asyncio.timeout(10):
        while await offset_of(client, place) < offset:  # noqa: ASYNC110 - another process could be the writer
            await asyncio.sleep(0.02)


def keep_feeding(feeding):
    """Bytes come, though slowly."""

    async def feed():
        while True:
            feeding.feed(b".")
            await asyncio.sleep(0.1)

    return asyncio.create_task(feed())


async def test_a_writer_from_whom_nothing_comes(client, place, monkeypatch):
    """A request whose connection died unnoticed makes room for the one that goes on."""
    monkeypatch.setattr(tus, "_PATIENCE", 15)
    dead = Feeding(client, place, 0)
    dead.feed(b"0123")
    await until_offset(client, place, 4)

    answer = await send(client, place, 4, b"456789")

    assert (answer.status, answer.headers["upload-offset"]) == (204, "10")
    assert (await dead.answer).error.code == "upload_interrupted"


async def test_creation_with_the_first_piece(client, root):
    """A first piece may come with the creation."""
    answer = await client.post("/api/uploads", body=b"0123", headers=PIECE | {"upload-length": "10"})

    assert (answer.status, answer.headers["upload-offset"]) == (201, "4")
    assert await offset_of(client, answer.headers["location"]) == 4


async def test_creation_with_a_bad_piece(client, root):
    """Where the first piece is refused nothing was begun."""
    told = PIECE | {"upload-length": "10"} | checksum(b"other")
    answer = await client.post("/api/uploads", body=b"0123", headers=told)

    assert answer.status == 460
    assert await client.backend.engine.read('SELECT "id" FROM "_uploads"') == []
    assert client.backend.uploads.parts.listed() == set()


async def test_termination(client, place):
    """What was deleted is gone at once, file and all."""
    await send(client, place, 0, b"0123")
    answer = await client.delete(place, headers=TUS)

    assert (answer.status, answer.body) == (204, b"")
    assert (await look(client, place)).status == 404
    assert (await send(client, place, 4, b"x")).status == 404
    assert (await client.delete(place, headers=TUS)).status == 404
    assert client.backend.uploads.parts.listed() == set()


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512", "md5"])
async def test_a_right_checksum(client, place, algorithm):
    """A piece that sums up as it says is taken."""
    answer = await send(client, place, 0, b"0123", headers=checksum(b"0123", algorithm))

    assert (answer.status, answer.headers["upload-offset"]) == (204, "4")


async def test_a_wrong_checksum(client, place):
    """A piece that does not is dropped, and the offset is where it was."""
    await send(client, place, 0, b"01")
    answer = await send(client, place, 2, b"2x", headers=checksum(b"23"))

    assert (answer.status, answer.error.code) == (460, "wrong_checksum")
    assert await offset_of(client, place) == 2
    assert (await send(client, place, 2, b"23", headers=checksum(b"23"))).status == 204


async def test_a_piece_with_a_checksum_that_is_cut(client, place):
    """Half a piece cannot be checked, so nothing of it counts, neither now nor when the upload goes on."""
    await send(client, place, 0, b"01")
    feeding = Feeding(client, place, 2, checksum(b"2345"))
    feeding.feed(b"23")
    await feeding.cut()

    assert await offset_of(client, place) == 2
    answer = await send(client, place, 2, b"456789xy")
    assert answer.headers["upload-offset"] == "10"
    assert client.backend.uploads.parts.path(place.rpartition("/")[2]).read_bytes() == b"01456789xy"


async def test_expiry_is_told(client, place):
    """Creation, pieces and HEAD tell until when an upload is kept: a day from its last piece."""
    answers = [await begin(client, 3), await send(client, place, 0, b"1"), await look(client, place)]

    for answer in answers:
        left = parsedate_to_datetime(answer.headers["upload-expires"]).timestamp() - time.time()
        assert 23 * 3600 < left < 25 * 3600


async def test_an_upload_whose_time_is_over(client, place):
    """It answers 410 until it is swept up, then 404; file and entry are gone."""
    await send(client, place, 0, b"0123")
    await age(client, 25 * 3600)
    assert (await look(client, place)).status == 410
    assert (await send(client, place, 4, b"4")).error.code == "upload_expired"

    # The server's own leader may have been there before.
    await client.backend.engine.write(lambda tx: forget_old_uploads(tx, client.backend.engine.dialect))
    assert not await has_old_uploads(client.backend.engine)
    await client.backend.uploads.sweep()
    assert (await look(client, place)).status == 404
    assert client.backend.uploads.parts.listed() == set()


async def test_the_very_moment_its_time_is_over(client, place):
    """Who looks and who sweeps agree from when on an upload is over, to the tick of the clock."""
    upload_id, engine = place.rpartition("/")[2], client.backend.engine
    moment = "CAST(4000000000 AS DOUBLE PRECISION)"
    dialect = type("Stopped", (type(engine.dialect),), {"clock": lambda _: moment})()
    await engine.write(lambda tx: tx.run(f'UPDATE "_uploads" SET "expires" = {moment}'))

    assert (await find_upload(engine.read, dialect, upload_id)).left == 0
    await engine.write(lambda tx: forget_old_uploads(tx, dialect))
    assert await find_upload(engine.read, dialect, upload_id) is None


@pytest.mark.parametrize(("old", "left"), [(3600 * 23, 24), (3600 * 24 * 6.5, 12)])
async def test_a_piece_prolongs(client, place, old, left):
    """An upload that goes on is kept for another day, but for a week at the most."""
    await age(client, old, left=3600)
    told = await send(client, place, 0, b"0")

    seconds = parsedate_to_datetime(told.headers["upload-expires"]).timestamp() - time.time()
    assert abs(seconds - left * 3600) < 600


async def age(client, seconds, left=0):
    """Let all uploads be begun so many seconds ago, and have so many left."""
    engine = client.backend.engine
    clock = engine.dialect.clock()
    sql = f'UPDATE "_uploads" SET "created" = {clock} - {seconds}, "expires" = {clock} + {left}'
    await engine.write(lambda tx: tx.run(sql))


async def test_what_is_alive_is_not_swept(client, place):
    """Sweeping leaves uploads that go on alone, and removes files that no upload knows."""
    await send(client, place, 0, b"0123")
    parts = client.backend.uploads.parts
    parts.path("a" * 32).write_bytes(b"lost")

    assert await client.backend.uploads.sweep() == 1
    assert parts.listed() == {place.rpartition("/")[2]}
    assert await offset_of(client, place) == 4


@pytest.mark.parametrize(
    ("method", "status"), [("PATCH", 204), ("HEAD", 200), ("DELETE", 204), ("PUT", 404), ("", 404)]
)
async def test_methods_by_another_name(client, place, method, status):
    """Clients that can only POST say what they mean in a header."""
    told = PIECE | {"upload-offset": "0", "x-http-method-override": method}
    answer = await client.post(place, body=b"0123", headers=told)

    assert answer.status == status


@pytest.mark.parametrize(
    "upload_id", ["x", "%2e%2e%2fdata.db", "../data.db", "a" * 32, "A" * 31 + "/", "%00" * 32, "é" * 32]
)
async def test_ids_that_are_none(client, root, upload_id):
    """Whatever stands in the place of an id finds nothing and touches no file."""
    for method in ("HEAD", "PATCH", "DELETE"):
        answer = await client.request(method, f"/api/uploads/{upload_id}", headers=PIECE | {"upload-offset": "0"})
        assert answer.status in {307, 404}
    assert client.backend.uploads.parts.listed() == set()


async def test_pages_of_other_origins(client, place):
    """A browser lets pages of other origins read what the protocol says in headers."""
    told = {"origin": "https://app.example.com"}
    asked = told | {
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "tus-resumable,upload-offset,content-type",
    }
    preflight = await client.request("OPTIONS", place, headers=asked)
    answer = await client.request("HEAD", place, headers=TUS | told)
    refused = await send(client, place, 9, b"x", headers=told)

    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    assert "upload-offset" in preflight.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "*"
    for shown in (answer, refused):
        exposed = {name.strip().lower() for name in shown.headers["access-control-expose-headers"].split(",")}
        assert {"location", "upload-offset", "upload-length", "tus-resumable", "upload-expires"} <= exposed
