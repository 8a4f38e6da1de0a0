"""Several writes in one transaction."""

from __future__ import annotations

from itertools import count

import pytest

NOTES = "/api/collections/notes/records"


@pytest.fixture
async def notes(blog):
    await blog.client.patch("/api/settings", {"batch": {"enabled": True, "maxRequests": 10}}, as_=blog.root)
    fields = [{"name": "title", "type": "text", "max": 5}, {"name": "n", "type": "number"}]
    await blog.collection("notes", *fields)
    await blog.collection("locked", *fields, createRule=None)
    return blog


def do(method, url, body=None, **more):
    return {"method": method, "url": url, "body": body or {}, **more}


async def send(blog, *requests, as_=""):
    return await blog.client.post("/api/batch", {"requests": list(requests)}, as_=as_)


async def test_later_requests_see_earlier_ones(notes):
    """Requests run in order in one transaction and answer in order."""
    answer = await send(
        notes,
        do("POST", NOTES, {"id": "aaaaaaaaaaaaaaa", "n": 1}),
        do("PATCH", f"{NOTES}/aaaaaaaaaaaaaaa?fields=n", {"n+": 1}),
        do("PUT", NOTES, {"id": "aaaaaaaaaaaaaaa", "title": "put"}),
        do("PUT", NOTES, {"id": "bbbbbbbbbbbbbbb", "title": "new"}),
        do("DELETE", f"{NOTES}/bbbbbbbbbbbbbbb"),
    )

    assert [item["status"] for item in answer.json] == [200, 200, 200, 200, 204]
    assert answer.json[1]["body"] == {"n": 2}
    assert (answer.json[2]["body"]["n"], answer.json[4]["body"]) == (2, None)
    assert await notes.ids("notes") == ["aaaaaaaaaaaaaaa"]


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (do("POST", NOTES, {"title": "too long"}), 400),
        (do("POST", "/api/collections/locked/records", {}), 403),
        (do("DELETE", f"{NOTES}/nothingthere123"), 404),
        (do("GET", NOTES), 400),
        (do("POST", "/api/settings", {}), 400),
        (do("POST", f"{NOTES}/", {}), 400),
        (do("POST", "/api/collections/nope/records", {}), 404),
    ],
)
async def test_one_failure_undoes_all(notes, bad, status):
    """Only the failing request is named, and nothing of the batch stays."""
    answer = await send(notes, do("POST", NOTES, {"title": "one"}), bad, do("POST", NOTES, {"title": "two"}))

    failed = answer.error.data["requests"]
    assert (answer.status, list(failed)) == (400, ["1"])
    assert failed["1"]["response"]["status"] == status
    assert await notes.ids("notes") == []


async def test_the_caller_of_the_batch_is_the_caller_of_its_requests(notes):
    """An authorization header inside a batch counts for nothing."""
    inner = do("POST", "/api/collections/locked/records", {}, headers={"Authorization": notes.root})

    assert (await send(notes, inner)).status == 400
    assert (await send(notes, inner, as_=notes.root)).status == 200


async def test_limits(notes):
    """An empty list, too many requests and batches that are off are refused."""
    assert (await send(notes)).error.data["requests"]["code"] == "validation_required"
    many = await send(notes, *[do("POST", NOTES)] * 11)
    assert many.error.data["requests"]["code"] == "validation_length_too_long"
    await notes.client.patch("/api/settings", {"batch": {"enabled": False}}, as_=notes.root)
    assert (await send(notes, do("POST", NOTES))).error.code == "batch_off"


@pytest.mark.parametrize(
    "body", [{}, {"requests": 5}, {"requests": [5]}, {"requests": [{"method": 1}]}, {"requests": {}}]
)
async def test_what_is_no_batch_is_refused(notes, body):
    """Bodies of another shape are a clear 400."""
    assert (await notes.client.post("/api/batch", body)).status == 400


async def test_accounts_can_be_made_in_a_batch(notes):
    """Passwords are hashed before the transaction, and the account can log in."""
    account = {"email": "cy@example.com", "password": "password-1", "passwordConfirm": "password-1"}

    assert (await send(notes, do("POST", "/api/collections/users/records", account), as_=notes.root)).status == 200
    assert await notes.client.login("users", "cy@example.com", "password-1")


async def test_what_the_database_says_is_for_the_log(notes, caplog):
    """A guest is not told the driver's words, neither alone nor inside a batch; the log is."""

    async def drop(transaction):
        await transaction.run('DROP TABLE "notes"')

    await notes.client.backend.engine.write(drop)
    told = [await notes.list("notes"), await notes.create("notes", {}), await send(notes, do("POST", NOTES))]

    assert [answer.status for answer in told] == [400, 400, 400]
    assert not [answer.text for answer in told if "table" in answer.text]
    assert caplog.text.count("The database refused a statement: ") == 3
    assert caplog.text.count("notes") >= 3


async def test_no_password_is_hashed_past_the_deadline(notes, monkeypatch):
    """A batch whose time is over ends before its next request is prepared."""
    hashed = []

    async def hash_(text):
        hashed.append(text)
        return ""

    clock = count(0, 2)
    monkeypatch.setattr("undercroft.api.batch.monotonic", lambda: next(clock))
    monkeypatch.setattr(notes.client.backend.passwords, "hash", hash_)
    account = {"password": "password-1", "passwordConfirm": "password-1"}
    answer = await send(notes, *[do("POST", "/api/collections/users/records", account)] * 5, as_=notes.root)

    assert answer.error.code == "batch_failed"
    assert len(hashed) == 1
