"""Resumable uploads speak tus 1.0."""

import pytest
from tus import PIECE, TUS, begin, file_field, look, offset_of, send

PAPERS = {
    "name": "papers",
    "type": "base",
    "fields": [{"name": "title", "type": "text"}, file_field(maxSize=1_000_000)],
    "listRule": "",
    "viewRule": "",
    "createRule": "",
    "updateRule": "",
}


@pytest.fixture
async def root(client):
    token = await client.superuser()
    answer = await client.post("/api/collections", PAPERS, as_=token)
    assert answer.status == 200, answer.text
    return token


async def begun(client, size, **options):
    answer = await begin(client, size, **options)
    assert answer.status == 201, answer.text
    return answer.headers["location"]


async def test_discovery(client, root):
    """OPTIONS tells the version, the extensions and the largest upload."""
    answer = await client.request("OPTIONS", "/api/uploads")

    assert answer.status == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert set(answer.headers["tus-extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "termination",
        "checksum",
        "expiration",
    }
    assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")
    assert answer.headers["tus-max-size"] == str(5 * 1024 * 1024)


async def test_an_upload_in_pieces(client, root):
    """Pieces add up, and HEAD tells how far it is."""
    place = await begun(client, 10, filename="a.txt")

    first = await send(client, place, 0, b"0123")
    assert (first.status, first.headers["upload-offset"]) == (204, "4")
    assert await offset_of(client, place) == 4
    second = await send(client, place, 4, b"456789")
    assert (second.status, second.headers["upload-offset"]) == (204, "10")
    found = await look(client, place)
    assert found.headers["upload-length"] == "10"
    assert found.headers["upload-metadata"] == "filename YS50eHQ="
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["tus-resumable"] == "1.0.0"
    assert found.headers["upload-expires"].endswith(" GMT")
    assert found.body == b""
