"""What does not open is an error of the server wherever it is met, and is written down with its place."""

import pytest

from undercroft.collections.seals import cell_name
from undercroft.keys.audit import list_entries

ALL = ("listRule", "viewRule", "createRule", "updateRule", "deleteRule")
RECORDS = "/api/collections/notes/records"


@pytest.fixture
async def notes(client):
    """A collection with an encrypted field, in which one cell was altered: the client, the id, and the place."""
    root = await client.superuser()
    fields = [{"name": "title", "type": "text"}, {"name": "text", "type": "text", "encrypted": True}]
    body = {"name": "notes", "type": "base", "fields": fields, **dict.fromkeys(ALL, "")}
    assert (await client.post("/api/collections", body, as_=root)).status == 200
    await client.patch("/api/settings", {"batch": {"enabled": True}}, as_=root)
    made = [(await client.post(RECORDS, {"title": "a", "text": f"secret {n}"})).json["id"] for n in range(2)]
    engine, collection = client.backend.engine, client.backend.catalog.collection("notes")
    field = collection.by_name["text"].id
    mark = engine.dialect.placeholder

    async def alter(tx):
        sql = f'UPDATE "notes" SET "{cell_name(field)}" = {mark(1, "bytes")} WHERE "id" = {mark(2)}'
        rows = await tx.run(f'SELECT "{cell_name(field)}" FROM "notes" WHERE "id" = {mark(1)}', [made[0]])
        await tx.run(sql, [rows[0][0][:-1] + bytes([rows[0][0][-1] ^ 1]), made[0]])

    await engine.write(alter)
    return client, made, f"{collection.id}|{field}|{made[0]}"


async def written_down(client):
    """The places that are written down, once the key ring was looked after."""
    await client.app._company._keeper._write_down()
    return [e.detail["value"] for e in await list_entries(client.backend.engine) if e.event == "decryption_failed"]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_in_a_batch(notes, method):
    """A batch that meets one fails as a whole with 500, and nothing of it is done."""
    client, (bad, good), place = notes
    url = f"{RECORDS}/{bad}" if method == "PATCH" else RECORDS
    body = {"title": "b"} | ({"id": bad} if method == "PUT" else {})
    requests = [
        {"method": "PATCH", "url": f"{RECORDS}/{good}", "body": {"title": "b"}},
        {"method": method, "url": url, "body": body},
    ]

    answer = await client.post("/api/batch", {"requests": requests})

    assert (answer.status, answer.error.code) == (500, "decryption_failed")
    assert "secret" not in answer.text
    assert (await client.get(f"{RECORDS}/{good}")).json["title"] == "a"
    assert await written_down(client) == [place]


async def test_what_is_wrong_with_a_request(notes):
    """What a request itself is refused for is told as before: 400, with its number."""
    client, (_, good), _ = notes
    requests = [{"method": "PATCH", "url": f"{RECORDS}/{good}", "body": {"title": "x" * 6000}}]

    answer = await client.post("/api/batch", {"requests": requests})

    assert (answer.status, answer.error.code) == (400, "batch_failed")
    assert "0" in answer.json["data"]["requests"]
