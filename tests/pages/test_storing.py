"""What pages do in the transaction that stores their form."""

from __future__ import annotations

import pytest
from visitor import Visitor

from undercroft import testing
from undercroft.mail.keeping import list_entries
from undercroft.pages import submissions

PAGE = '{{ form(records.briefs, then="/thanks") }}'
SCRIPT = """
async def stored(record, storing):
    await storing.mail("team@example.com", f"From {record['name']}", text="Look: " + record["id"], reply_to="a@b.example")
    if record["name"] == "Bad":
        raise ValueError("no")
"""


@pytest.fixture
async def visitor(tmp_path, database, monkeypatch):
    """Somebody at a page that mails what it stores."""
    monkeypatch.setattr(submissions, "MIN_SECONDS", 0.0)
    folder = tmp_path / "site" / "pages"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "index.py").write_text(SCRIPT)
    async with testing.client(tmp_path / "data", database, site=tmp_path / "site") as opened:
        fields = [{"name": "name", "type": "text"}]
        body = {"name": "briefs", "type": "base", "fields": fields, "createRule": ""}
        await opened.post("/api/collections", body, as_=await opened.superuser())
        yield Visitor(opened)


async def outbox(visitor):
    """Recipients of all letters."""
    states = ("waiting", "sending", "sent", "dead")
    return [(entry.recipient, entry.kind) for entry in await list_entries(visitor.client.backend.engine, states)]


async def briefs(visitor):
    """Names in all briefs."""
    return await visitor.client.backend.engine.read('SELECT "name" FROM "briefs"')


async def test_letter_goes_with_the_record(visitor):
    """A stored form and its letter are there together."""
    answer = await visitor.send(await visitor.open("/"), {"name": "Ann"})

    assert answer.status == 303
    assert await briefs(visitor) == [("Ann",)]
    assert await outbox(visitor) == [("team@example.com", "page index")]


async def test_failure_takes_everything_back(visitor):
    """A script that fails leaves neither a record nor a letter."""
    answer = await visitor.send(await visitor.open("/"), {"name": "Bad"})

    assert answer.status == 500
    assert await briefs(visitor) == []
    assert await outbox(visitor) == []
