"""Connections that listen: how they begin, what they may ask, how they end."""

from __future__ import annotations

import asyncio
import time

import pytest

from undercroft.auth import tokens
from undercroft.realtime import broker, client
from undercroft.records.record import find_record

PATH = "/api/realtime"


async def test_the_beginning(board):
    """The first event tells the client's id, which is the id of the event too."""
    async with board.client.listen() as listener:
        headers = listener.headers

    assert len(listener.client_id) == 40
    assert listener.client_id.isalnum()
    assert headers["content-type"] == "text/event-stream"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")


@pytest.mark.parametrize("client_id", ["", "x" * 40, 5, None, ["a"]])
async def test_unknown_clients(board, client_id):
    """Nobody can wish for a connection that is not there."""
    answer = await board.client.post(PATH, {"clientId": client_id, "subscriptions": ["notes/*"]})

    assert (answer.status, answer.code) == (404, "unknown_client")


async def test_a_connection_that_ended_is_unknown(board):
    """Its id is worth nothing any more."""
    async with board.client.listen("notes/*") as listener:
        pass
    answer = await board.client.post(PATH, {"clientId": listener.client_id, "subscriptions": []})

    assert answer.status == 404
    assert board.client.backend.live.broker.clients == {}


async def test_too_many_topics(board):
    """A thousand, of 2,500 characters each."""
    async with board.client.listen() as listener:
        fitting = await board.client.post(
            PATH, {"clientId": listener.client_id, "subscriptions": [f"t{n}" for n in range(1000)]}
        )
        many = await board.client.post(
            PATH, {"clientId": listener.client_id, "subscriptions": [f"t{n}" for n in range(1001)]}
        )
        long = await board.client.post(PATH, {"clientId": listener.client_id, "subscriptions": ["a", "x" * 2501]})

    assert fitting.status == 204
    assert many.error.data["subscriptions"]["code"] == "validation_length_too_long"
    assert long.error.data["subscriptions"]["1"]["params"] == {"min": 0, "max": 2500}


async def test_a_form_will_do(board):
    """As for every other request."""
    async with board.client.listen() as listener:
        form = {"clientId": listener.client_id, "subscriptions": ["notes/*", "users/*"]}
        assert (await board.client.post(PATH, form=form)).status == 204
        await board.add(n=1)

        assert (await listener.event()).name == "notes/*"


async def test_places_that_are_none(board):
    """A position is a whole number."""
    answer = await board.client.get(PATH, since="-1")

    assert (answer.status, answer.code) == (400, "bad_parameter")


async def test_too_many_connections(board, monkeypatch):
    """From one network; the others are not hindered, and who leaves makes room."""
    monkeypatch.setattr(broker, "MOST_OF_NETWORK", 1)
    async with board.client.listen():
        refused = await board.client.get(PATH)
    async with board.client.listen() as listener:
        assert listener.client_id

    assert (refused.status, refused.code) == (503, "too_many_listeners")
    assert refused.headers["retry-after"] == "30"


async def test_who_does_not_read_is_cut(board, monkeypatch):
    """When its queue is full; the others have heard everything by then."""
    monkeypatch.setattr(client, "MOST_WAITING", 8)
    async with board.client.listen("notes/*") as reader, board.client.listen("notes/*") as sleeper:
        sleeper.is_reading.clear()
        for n in range(30):
            await board.add(n=n)
        heard = await reader.events()
        left = set(board.client.backend.live.broker.clients)

    assert [event.json["record"]["n"] for event in heard] == list(range(30))
    assert left == {reader.client_id}


async def test_what_waits_for_many_is_kept_once(board):
    """A hundred who do not read hold references, not copies."""
    live = board.client.backend.live
    sleepers = [await live.connect("127.0.0.1", None, keeps_place=False) for _ in range(100)]
    event = b"event:notes/*\ndata:" + b"x" * 4096 + b"\n\n"
    for sleeper in sleepers:
        sleeper.position = 0
        sleeper.tell(1, [event])

    assert all(sleeper.is_busy for sleeper in sleepers)
    assert sum(any(part is event for part in sleeper._waiting) for sleeper in sleepers) == 100


async def test_silence_is_interrupted(board, monkeypatch):
    """By comments that clients do not see, until it has lasted for too long."""
    monkeypatch.setattr(client, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(client, "IDLE_SECONDS", 0.2)
    async with board.client.listen("notes/*") as listener:
        await until(lambda: listener.is_over)

    assert await listener.events(0.01) == []


async def test_a_heartbeat_moves_the_place(board, monkeypatch):
    """What others hear of is not asked for again by who comes back."""
    monkeypatch.setattr(client, "HEARTBEAT_SECONDS", 0.02)
    async with board.client.listen("users/*", since="") as listener:
        kept = board.client.backend.live.broker.clients[listener.client_id]
        before = kept.position
        await board.add()
        await until(lambda: kept.position > before)

    assert kept.position == board.client.backend.live.broadcaster.position


async def test_the_end_of_a_token_is_the_end_of_its_connection(board):
    """Clients come back with the token that they have by then."""
    collection = board.client.backend.catalog.collection("users")
    engine = board.client.backend.engine
    token = tokens.issue(
        "auth", collection, await find_record(engine.read, engine.dialect, collection, {"name": "Ann"}), 4
    )
    async with board.client.listen("notes/*", as_=token) as listener:
        await until(lambda: listener.is_over)

    assert time.time() >= tokens.read_any_claims(token).exp


async def test_parting_ends_what_streams(board):
    """What waits is told before; who comes then is sent on."""
    async with board.client.listen("notes/*") as listener:
        await board.add(n=1)
        assert (await listener.event()).json["record"]["n"] == 1
        board.client.app.part()
        await until(lambda: listener.is_over)
        async with board.client.listen() as late:
            await until(lambda: late.is_over)


async def test_nobody_is_left_behind(board):
    """Of a connection that has gone nothing is kept."""
    async with board.client.listen("notes/*", "users/*", as_=board.ann):
        pass
    kept = board.client.backend.live.broker

    assert (kept.clients, kept.accounts, list(kept.groups())) == ({}, {}, [])


async def test_head_opens_nothing(board):
    """It has the headers of a stream, and no client."""
    answer = await board.client.request("HEAD", PATH)

    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    assert board.client.backend.live.broker.clients == {}


async def until(holds):
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - a task of the app changes it, which sets no event here
            await asyncio.sleep(0.005)


async def test_one_client_can_be_told_something(board):
    """Under a topic of its own choice, and only if it listens to that."""
    live = board.client.backend.live
    async with board.client.listen("@oauth2", "notes/*") as listener, board.client.listen("notes/*") as other:
        assert await live.say(listener.client_id, "@oauth2", b'{"code":"c"}')
        assert not await live.say(other.client_id, "@oauth2", b"{}")
        assert not await live.say("nobody", "@oauth2", b"{}")
        event = await listener.event()

    assert (event.name, event.json) == ("@oauth2", {"code": "c"})


async def test_one_client_can_be_told_something_once(board):
    """After the last word it listens to the topic no more, and to its others as before."""
    live = board.client.backend.live
    async with board.client.listen("@oauth2", "notes/*") as listener:
        told = [await live.say(listener.client_id, "@oauth2", b'{"code":"c"}', is_last=True) for _ in range(2)]
        events = [await listener.event()]
        note = await board.add()
        events.append(await listener.event())

    assert told == [True, False]
    assert [event.json.get("code") or event.json["record"]["id"] for event in events] == ["c", note["id"]]


async def test_only_who_is_at_an_address_can_be_told(board):
    """What is for somebody at one address is not told to who listens from another, and is not used up by it."""
    live = board.client.backend.live
    async with board.client.listen("@oauth2") as listener:
        tell = {"client_id": listener.client_id, "topic": "@oauth2", "data": b"{}", "is_last": True}
        assert not await live.say(**tell, only_at="203.0.113.9")
        assert await live.say(**tell, only_at="127.0.0.1")
