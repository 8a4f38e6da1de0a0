"""How a file goes out over ASGI: by the server itself, or in pieces for as long as the client is there."""

from __future__ import annotations

from random import Random

import pytest
from shelf import make_shelf, put
from talking import Connection

from undercroft.http.file_body import PIECE, FileCut
from undercroft.testing import File

pytestmark = pytest.mark.sqlite_only("about bytes on their way, whatever holds the records")

LARGE = Random(3).randbytes(3_000_000)
PATHSEND = {"http.response.pathsend": {}}


@pytest.fixture
async def shelf(client):
    """A shelf with a file of many pieces."""
    await make_shelf(client)
    return await put(client, open=File("large.bin", LARGE))


async def test_pieces(shelf):
    """A large file goes out in small pieces, of which only the last says that it is."""
    talk = await Connection(shelf.client.app, shelf.path("open")).talk()

    pieces = talk.messages[1:]
    assert talk.body == LARGE
    assert max(len(piece.get("body", b"")) for piece in pieces) <= PIECE
    assert [piece.get("more_body", False) for piece in pieces] == [True] * (len(pieces) - 1) + [False]


@pytest.mark.local_only("a bucket's files lie elsewhere")
async def test_server_sends_it(shelf, tmp_path):
    """A whole file on disk is left to the server, if it offers to send it from there."""
    talk = await Connection(shelf.client.app, shelf.path("open"), extensions=PATHSEND).talk()

    start, sent = talk.messages
    kept = tmp_path / "storage" / "shelf0000000000" / shelf.record["id"] / shelf.record["open"]
    assert (start["status"], sent) == (200, {"type": "http.response.pathsend", "path": str(kept)})
    assert (b"content-length", b"3000000") in start["headers"]


@pytest.mark.parametrize(
    ("method", "headers", "length"),
    [("HEAD", (), 0), ("GET", [(b"range", b"bytes=1-")], len(LARGE) - 1), ("GET", [(b"if-none-match", b"*")], 0)],
    ids=["head", "range", "not modified"],
)
async def test_server_does_not_send_it(shelf, method, headers, length):
    """What is not the whole file is not left to the server."""
    talk = await Connection(shelf.client.app, shelf.path("open"), headers, PATHSEND, method).talk()

    assert {message["type"] for message in talk.messages} == {"http.response.start", "http.response.body"}
    assert len(talk.body) == length


async def test_client_is_gone(shelf):
    """Nothing more is read for a client that has left, though its server says nothing when pieces are sent."""
    talk = Connection(shelf.client.app, shelf.path("open"))
    take = talk.send

    async def leave(message):
        await take(message)
        if len(talk.messages) == 4:
            talk.gone.set()

    talk.send = leave
    await talk.talk()

    assert len(talk.body) < 10 * PIECE
    assert talk.messages[-1].get("more_body")


async def test_server_raises_when_client_is_gone(shelf):
    """A server that raises for a client that has left is understood, and nothing is logged as a fault."""
    talk = Connection(shelf.client.app, shelf.path("open"))
    take = talk.send

    async def refuse(message):
        if len(talk.messages) == 4:
            raise OSError("the client is gone")
        await take(message)

    talk.send = refuse
    await talk.talk()

    assert len(talk.messages) == 4


async def test_file_gone_at_the_last_moment(shelf, monkeypatch):
    """A file that goes between being found and being read is not there: no answer is begun."""
    store = shelf.client.backend.files
    key = f"shelf0000000000/{shelf.record['id']}/{shelf.record['open']}"
    found = await store.find(key)
    await store.delete([key])

    async def find(_, asked):
        return found if asked == key else None

    monkeypatch.setattr(type(store), "find", find)

    talk = await Connection(shelf.client.app, shelf.path("open")).talk()

    assert talk.messages[0]["status"] == 404


@pytest.mark.local_only("cuts the file where it lies")
async def test_file_is_cut(shelf, tmp_path, caplog):
    """A file that ends too early ends the answer without its end, with a line for the operator."""
    kept = tmp_path / "storage" / "shelf0000000000" / shelf.record["id"] / shelf.record["open"]
    talk = Connection(shelf.client.app, shelf.path("open"))
    take = talk.send

    async def cut(message):
        if not talk.messages:
            kept.write_bytes(LARGE[:1_000_000])
        await take(message)

    talk.send = cut
    with pytest.raises(FileCut):
        await talk.talk()

    assert talk.body == LARGE[:1_000_000]
    assert talk.messages[-1]["more_body"]
    assert shelf.record["open"] in caplog.text
