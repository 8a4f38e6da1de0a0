"""Idempotency-Key: what is asked for again is answered as before, and done once."""

from __future__ import annotations

import asyncio

import pytest

from undercroft.records.answered import forget_old_answers, has_old_answers
from undercroft.testing import File

OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
NOTES = "/api/collections/notes/records"
FIELDS = [
    {"name": "title", "type": "text", "max": 9},
    {"name": "n", "type": "number"},
    {"name": "docs", "type": "file", "maxSelect": 3},
]


@pytest.fixture
async def notes(client):
    root = await client.superuser()
    await client.patch("/api/settings", {"batch": {"enabled": True}}, as_=root)
    body = {"name": "notes", "type": "base", "fields": FIELDS, **OPEN}
    assert (await client.post("/api/collections", body, as_=root)).status == 200
    client.root = root
    return client


def key(text="one"):
    return {"Idempotency-Key": text}


async def count(notes):
    return (await notes.get(NOTES)).json["totalItems"]


async def test_a_create_is_done_once(notes):
    """The second answer is the first one, byte for byte, and says that it is."""
    first = await notes.post(NOTES, {"title": "a"}, headers=key())
    await notes.patch(f"{NOTES}/{first.json['id']}", {"title": "b"})
    again = await notes.post(NOTES, {"title": "a"}, headers=key())

    assert (again.status, again.body, again.headers["idempotency-replayed"]) == (200, first.body, "true")
    assert "idempotency-replayed" not in first.headers
    assert await count(notes) == 1


async def test_fields_are_picked_from_the_kept_answer(notes):
    """`fields` is obeyed the second time as well."""
    answers = [await notes.post(f"{NOTES}?fields=title", {"title": "a"}, headers=key()) for _ in range(2)]

    assert [answer.json for answer in answers] == [{"title": "a"}] * 2


async def test_a_modifier_is_applied_once(notes):
    """`n+` adds once, however often the request comes."""
    record = (await notes.post(NOTES, {"n": 1})).json
    for _ in range(3):
        answer = await notes.patch(f"{NOTES}/{record['id']}", {"n+": 5}, headers=key())

    assert answer.json["n"] == 6
    assert (await notes.get(f"{NOTES}/{record['id']}")).json["n"] == 6


async def test_a_delete_is_answered_again(notes):
    """A delete that is asked for again is answered 204, though the record is gone."""
    record = (await notes.post(NOTES, {})).json
    answers = [await notes.delete(f"{NOTES}/{record['id']}", headers=key()) for _ in range(2)]

    assert [answer.status for answer in answers] == [204, 204]
    assert (await notes.delete(f"{NOTES}/{record['id']}")).status == 404


async def test_a_batch_is_done_once(notes):
    """A batch counts as one write."""
    body = {"requests": [{"method": "POST", "url": NOTES, "body": {"title": str(n)}} for n in range(3)]}
    first, again = [await notes.post("/api/batch", body, headers=key()) for _ in range(2)]

    assert first.body == again.body
    assert await count(notes) == 3


async def test_files_are_kept_once(notes):
    """A form with files is the same form when it is sent again with another boundary."""
    form = {"title": "a", "docs": [File("a.txt", b"aaa"), File("b.txt", b"bbb")]}
    first, again = [await notes.post(NOTES, form=form, headers=key()) for _ in range(2)]
    other = await notes.post(NOTES, form={**form, "docs": [File("a.txt", b"aab")]}, headers=key())

    assert first.body == again.body
    assert (other.status, other.error.code) == (422, "idempotency_key_reused")
    assert len(first.json["docs"]) == 2
    assert await count(notes) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", NOTES, {"title": "b"}), ("POST", f"{NOTES}?expand=x", {"title": "a"}), ("DELETE", f"{NOTES}/x", None)],
    ids=["body", "query", "method"],
)
async def test_another_request_is_refused(notes, method, path, body):
    """A key that was used for one request is refused for another, and nothing is written."""
    await notes.post(NOTES, {"title": "a"}, headers=key())
    more = {} if body is None else {"json": body}
    answer = await notes.request(method, path, **more, headers=key())

    assert (answer.status, answer.error.code) == (422, "idempotency_key_reused")
    assert answer.json["data"] == {}
    assert await count(notes) == 1


async def test_keys_belong_to_their_callers(notes):
    """Two callers with the same key meet nothing of each other."""
    guest = await notes.post(NOTES, {"title": "a"}, headers=key())
    root = await notes.post(NOTES, {"title": "b"}, headers=key(), as_=notes.root)

    assert (guest.status, root.status) == (200, 200)
    assert await count(notes) == 2


async def test_what_was_refused_is_judged_anew(notes):
    """A write that was refused left nothing behind; the key is still free."""
    refused = await notes.post(NOTES, {"title": "far too long"}, headers=key())
    done = await notes.post(NOTES, {"title": "short"}, headers=key())

    assert (refused.status, done.status) == (400, 200)


@pytest.mark.parametrize("text", ["", "with space", "é", "x" * 256])
async def test_bad_keys_are_refused(notes, text):
    """A key that cannot be one is a clear 400."""
    answer = await notes.post(NOTES, {"title": "a"}, headers=key(text))

    assert (answer.status, answer.error.code) == (400, "bad_idempotency_key")
    assert await count(notes) == 0


@pytest.mark.parametrize("has_id", [False, True])
async def test_twenty_at_once_make_one_record(notes, has_id):
    """Of twenty that are on their way together one is done, and all are answered alike."""
    body = {"title": "a", **({"id": "aaaaaaaaaaaaaaa"} if has_id else {})}
    answers = await asyncio.gather(*(notes.post(NOTES, body, headers=key()) for _ in range(20)))

    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert await count(notes) == 1


async def test_a_day_later_it_is_a_new_request(notes):
    """Answers are kept for a day; then the key is free, and what is kept is swept away."""
    engine = notes.backend.engine
    await notes.post(NOTES, {"title": "a"}, headers=key())
    await notes.post(NOTES, {"title": "a"}, headers=key("two"))
    assert not await has_old_answers(engine)

    await engine.write(lambda tx: tx.run('UPDATE "_answers" SET "until" = "until" - 86400'))
    await notes.post(NOTES, {"title": "b"}, headers=key())
    assert await has_old_answers(engine)
    await engine.write(lambda tx: forget_old_answers(tx, engine.dialect))

    assert await count(notes) == 3
    assert len(await engine.read('SELECT 1 FROM "_answers"')) == 1
