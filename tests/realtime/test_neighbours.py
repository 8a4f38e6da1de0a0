"""Two processes on one database: a connection at one of them, requests at the other."""

from __future__ import annotations

import asyncio

import pytest

from undercroft.app import App
from undercroft.realtime.live import KIND
from undercroft.testing import TestClient

PATH, NOTES = "/api/realtime", "/api/collections/notes/records"
OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}


@pytest.fixture
async def pair(tmp_path, database):
    """A client of each; both are in this process, and know nothing of each other but the database."""
    apps = [App(tmp_path, database=database, shared=True) for _ in range(2)]
    for app in apps:
        await app.start()
    first, second = map(TestClient, apps)
    root = await first.superuser()
    notes = {"name": "notes", "fields": [{"name": "n", "type": "number"}], **OPEN}
    assert (await first.post("/api/collections", notes, as_=root)).status == 200
    assert (await second.get(NOTES, as_=root)).status == 200
    yield first, second, root
    for app in apps:
        await app.stop()


async def test_a_wish_is_passed_on(pair):
    """To the one that holds the connection; what happens at either is heard."""
    first, second, _ = pair
    async with first.listen() as listener:
        wish = {"clientId": listener.client_id, "subscriptions": ["notes/*"]}
        assert (await second.post(PATH, wish)).status == 204
        for number, client in enumerate((first, second, first)):
            assert (await client.post(NOTES, {"n": number})).status == 200
        heard = [(await listener.event()).json["record"]["n"] for _ in range(3)]

    assert heard == [0, 1, 2]


async def test_the_holder_decides(pair):
    """Its answers are the ones it gives itself, and a guessed id is unknown everywhere."""
    first, second, root = pair
    async with first.listen("notes/*", as_=root) as listener:
        as_guest = await second.post(PATH, {"clientId": listener.client_id, "subscriptions": []})
        guessed = listener.client_id[:-1] + ("a" if listener.client_id[-1] != "a" else "b")
        unknown = await second.post(PATH, {"clientId": guessed, "subscriptions": []}, as_=root)
    gone = await second.post(PATH, {"clientId": listener.client_id, "subscriptions": []}, as_=root)

    assert (as_guest.status, as_guest.code) == (403, "wrong_account")
    assert (unknown.status, gone.status) == (404, 404)


async def test_an_account_is_known_in_both(pair):
    """Who wishes at one is who listens at the other."""
    first, second, root = pair
    assert (await first.patch("/api/collections/notes", {"listRule": None}, as_=root)).status == 200
    async with first.listen() as listener:
        wish = {"clientId": listener.client_id, "subscriptions": ["notes/*"]}
        assert (await second.post(PATH, wish, as_=root)).status == 204
        assert (await second.post(NOTES, {"n": 5})).status == 200

        assert (await listener.event()).json["record"]["n"] == 5


async def test_writes_tell_of_records_where_others_listen(pair):
    """A delete at one is heard at the other, though nobody listens there."""
    first, second, _ = pair
    note = (await second.post(NOTES, {"n": 1})).json
    async with first.listen("notes/*") as listener:
        async with asyncio.timeout(10):
            while KIND not in second.backend.engine.listeners:  # noqa: ASYNC110 - the other process finds out
                await asyncio.sleep(0.01)
        assert (await second.delete(f"{NOTES}/{note['id']}")).status == 204

        assert (await listener.event()).json["action"] == "delete"


async def test_one_client_can_be_told_something_from_elsewhere(pair):
    """As a log-in needs whose answer comes to another process."""
    first, second, _ = pair
    async with first.listen("@oauth2") as listener:
        say, whom = second.backend.live.say, (listener.client_id, "@oauth2", b'{"code":"c"}')
        assert not await say(*whom, only_at="203.0.113.9")
        assert [await say(*whom, only_at="127.0.0.1", is_last=True) for _ in range(2)] == [True, False]
        assert (await listener.event()).json == {"code": "c"}


async def test_nothing_is_left_in_the_database(pair):
    """Of a wish that was answered."""
    first, second, _ = pair
    async with first.listen() as listener:
        await second.post(PATH, {"clientId": listener.client_id, "subscriptions": ["notes/*"]})

    assert await first.backend.engine.read('SELECT * FROM "_wishes"') == []
