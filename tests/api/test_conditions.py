"""Tags of records: asked for again only when changed, changed only as one knows them."""

from __future__ import annotations

import asyncio

import pytest
from everything import make_collections

OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
NOTES = "/api/collections/notes/records"
FIELDS = [{"name": "title", "type": "text"}, {"name": "n", "type": "number"}]
THINGS = "/api/collections/things/records"


@pytest.fixture
async def notes(client):
    client.root = await client.superuser()
    body = {"name": "notes", "type": "base", "fields": FIELDS, **OPEN}
    assert (await client.post("/api/collections", body, as_=client.root)).status == 200
    client.made = await client.post(NOTES, {"title": "a"})
    client.path = f"{NOTES}/{client.made.json['id']}"
    return client


async def test_who_has_it_gets_304(notes):
    """A record that the caller has as it is, is not sent again."""
    seen = await notes.get(notes.path)
    same = await notes.get(notes.path, headers={"If-None-Match": f'"x", {seen.headers["etag"]}'})
    await notes.patch(notes.path, {"title": "b"})
    changed = await notes.get(notes.path, headers={"If-None-Match": seen.headers["etag"]})

    assert (same.status, same.body, same.headers["etag"]) == (304, b"", seen.headers["etag"])
    assert (changed.status, changed.json["title"]) == (200, "b")


async def test_what_is_expanded_has_no_tag(notes):
    """The tag is of the record alone, so an answer that has more in it carries none."""
    assert "etag" not in (await notes.get(f"{notes.path}?expand=x")).headers


async def test_a_write_tells_the_new_tag(notes):
    """The answers to a create and an update carry the tag that the next view has."""
    assert notes.made.headers["etag"] == (await notes.get(notes.path)).headers["etag"]
    changed = await notes.patch(notes.path, {"title": "b"})
    assert changed.headers["etag"] == (await notes.get(notes.path)).headers["etag"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_what_was_changed_is_not_written_over(notes, method):
    """With If-Match a record that is not as its caller knows it stays as it is: 412."""
    await notes.patch(notes.path, {"title": "b"})
    headers = {"If-Match": notes.made.headers["etag"]}
    answer = await notes.request(method, notes.path, {"title": "c"}, headers=headers)

    assert (answer.status, answer.error.code) == (412, "record_changed")
    assert (await notes.get(notes.path)).json["title"] == "b"


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("tag", ["it", "*"])
async def test_what_is_as_known_is_written(notes, method, tag):
    """With the right tag, or any, the write is done."""
    headers = {"If-Match": notes.made.headers["etag"] if tag == "it" else tag}
    answer = await notes.request(method, notes.path, {"title": "c"}, headers=headers)

    assert answer.status in {200, 204}


async def test_of_twenty_editors_one_wins(notes):
    """Twenty change the same version at once: one does, nineteen hear 412."""
    headers = {"If-Match": notes.made.headers["etag"]}
    work = (notes.patch(notes.path, {"n": n + 1}, headers=headers) for n in range(20))
    statuses = sorted(answer.status for answer in await asyncio.gather(*work))

    assert statuses == [200] + [412] * 19


async def test_who_may_not_write_learns_nothing(notes):
    """A caller whom the rule refuses gets 404, whatever tags are sent, of any record and of none."""
    await notes.patch("/api/collections/notes", {"updateRule": "title = 'mine'", "viewRule": None}, as_=notes.root)
    answers = [
        await notes.patch(path, {"title": "x"}, headers={"If-Match": tag})
        for path in (notes.path, f"{NOTES}/aaaaaaaaaaaaaaa")
        for tag in (notes.made.headers["etag"], '"x"', "*")
    ]

    assert {(answer.status, answer.error.code) for answer in answers} == {(404, "not_found")}


async def test_every_type_of_field_keeps_its_tag(client):
    """A record with a value of every type can be changed by who knows it, once."""
    await make_collections(client)
    values = {
        "text": "é\0", "editor": "<p>a</p>", "number": 1e21, "bool": True, "email": "a@example.com",
        "url": "https://example.com", "date": "2024-02-29 12:00:00.120Z", "one": "sea", "many": ["sea", "été"],
        "json": {"b": 1, "a": [1.0, None, "x"], "long": 12345678901234567890}, "place": {"lon": 1.5, "lat": -2},
        "secret": "12345678", "Order": 3,
    }  # fmt: skip
    made = await client.post(THINGS, values)
    path = f"{THINGS}/{made.json['id']}"
    headers = {"If-Match": (await client.get(path)).headers["etag"]}
    answers = [await client.patch(path, {"Order": 4 + n}, headers=headers) for n in range(2)]

    assert "etag" not in made.headers
    assert [answer.status for answer in answers] == [200, 412]
