"""Requests that a change of their collection came in between of: handled again where nothing had come of them."""

from __future__ import annotations

from contextvars import ContextVar

import pytest

OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
NOTES = "/api/collections/notes/records"
IS_TEST = ContextVar("IS_TEST", default=False)
"""Whether it is the test that asks the engine for something, and not what the server does by itself meanwhile."""


class Crossed:
    """A client of a collection whose field becomes another one just when the next statement is about to run."""

    def __init__(self, client, root):
        self.client = client
        self.root = root
        self.handled = 0

    async def set_up(self):
        body = {"name": "notes", "type": "base", "fields": [{"name": "text", "type": "text"}], **OPEN}
        made = await self.client.post("/api/collections", body, as_=self.root)
        assert made.status == 200, made.text
        self.fields = made.json["fields"]
        self.record = (await self.client.post(NOTES, {"text": "one"})).json["id"]

    def cross(self, monkeypatch, name):
        """Have the field take another name before the engine does what it is asked next."""
        engine = self.client.backend.engine
        do = getattr(engine, name)
        IS_TEST.set(True)

        async def crossed(*arguments, **options):
            if not IS_TEST.get():
                return await do(*arguments, **options)
            monkeypatch.setattr(engine, name, do)
            renamed = [self.fields[0], {**self.fields[1], "name": "words"}]
            answer = await self.client.patch("/api/collections/notes", {"fields": renamed}, as_=self.root)
            assert answer.status == 200, answer.text
            return await do(*arguments, **options)

        monkeypatch.setattr(engine, name, crossed)

    async def stored(self):
        rows = await self.client.backend.engine.read('SELECT words FROM "notes" ORDER BY words')
        return [words for (words,) in rows]


@pytest.fixture
async def crossed(client):
    """A collection with one record."""
    made = Crossed(client, await client.superuser())
    await made.set_up()
    return made


async def test_reading(crossed, monkeypatch):
    """A list is read again with the fields that there are by now."""
    crossed.cross(monkeypatch, "read")
    answer = await crossed.client.get(NOTES)

    assert answer.status == 200
    assert [item["words"] for item in answer.json["items"]] == ["one"]


async def test_creating(crossed, monkeypatch):
    """A create is done once, with what the collection takes by now."""
    crossed.cross(monkeypatch, "write")
    answer = await crossed.client.post(NOTES, {"text": "two", "words": "three"})

    assert (answer.status, answer.json["words"]) == (200, "three")
    assert await crossed.stored() == ["one", "three"]


async def test_updating_and_deleting(crossed, monkeypatch):
    """An update is done again, and so is a delete."""
    crossed.cross(monkeypatch, "write")
    answer = await crossed.client.patch(f"{NOTES}/{crossed.record}", {"text": "two", "words": "three"})
    assert (answer.status, answer.json["words"]) == (200, "three")

    crossed.fields[1]["name"] = "words"
    assert (await crossed.client.delete(f"{NOTES}/{crossed.record}")).status == 204
    assert await crossed.stored() == []


async def test_a_batch(crossed, monkeypatch):
    """A batch is done again as a whole."""
    crossed.cross(monkeypatch, "write")
    await crossed.client.patch("/api/settings", {"batch": {"enabled": True}}, as_=crossed.root)
    crossed.cross(monkeypatch, "write")
    requests = [{"method": "POST", "url": NOTES, "body": {"words": words}} for words in ("two", "three")]
    answer = await crossed.client.post("/api/batch", {"requests": requests}, as_=crossed.root)

    assert answer.status == 200, answer.text
    assert await crossed.stored() == ["one", "three", "two"]


async def test_what_is_too_large_to_hold(crossed, monkeypatch):
    """A body that is not held is not read again: the caller is asked to send it again."""
    crossed.cross(monkeypatch, "write")
    answer = await crossed.client.post(NOTES, {"text": "x", "filler": "f" * 1_500_000})

    assert (answer.status, answer.error.code) == (503, "collections_changed")
    assert await crossed.stored() == ["one"]


async def test_not_around_hooks(crossed, monkeypatch):
    """Where hooks may have been called, the caller is asked to send it again; what only reads is read again."""
    crossed.client.app.on.record_created()(print)
    crossed.cross(monkeypatch, "write")
    answer = await crossed.client.post(NOTES, {"text": "two"})

    assert (answer.status, answer.error.code) == (503, "collections_changed")
    assert (await crossed.client.get(NOTES)).status == 200
