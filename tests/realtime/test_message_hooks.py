"""Hooks that have a say in what each client hears."""

from __future__ import annotations

import asyncio


def told(events):
    return [(event.name, event.json.get("record", {}).get("title")) for event in events]


async def test_a_message_is_changed_for_one(board):
    """A hook sees whom a message is for, and changes it for them alone."""

    @board.client.app.on.realtime_message_send()
    async def greet(event):
        if event.identity is not None:
            event.data["for"] = event.identity.record["name"]

    async with (
        board.client.listen("notes/*") as guest,
        board.client.listen("notes/*", as_=board.ann) as ann,
        board.client.listen("notes", as_=board.ben) as ben,
    ):
        await board.add(title="a")
        heard = [(await listener.event()).json.get("for") for listener in (guest, ann, ben)]

    assert heard == [None, "Ann", "Ben"]


async def test_a_message_is_refused(board):
    """What a hook refuses one client does not hear, and others do; a fault of a hook keeps it back as well."""

    @board.client.app.on.realtime_message_send()
    def refuse(event):
        if event.data["record"]["title"] == "fault":
            raise RuntimeError("a fault")
        if event.identity is None:
            raise event.refuse("Not for guests.")

    async with board.client.listen("notes/*") as guest, board.client.listen("notes/*", as_=board.ann) as ann:
        for title in ("a", "fault", "b"):
            await board.add(title=title)
        heard = told(await ann.events()), told(await guest.events())

    assert heard == ([("notes/*", "a"), ("notes/*", "b")], [])


async def test_what_was_missed(board):
    """Hooks have their say in what is heard later as well."""

    @board.client.app.on.realtime_message_send()
    async def refuse(event):
        if event.data["record"]["title"] == "b":
            raise event.refuse("Not this one.")

    async with board.client.listen("notes/*", since=""):
        pass
    place = board.client.backend.live.broadcaster.position
    for title in ("a", "b", "c"):
        await board.add(title=title)

    async with board.client.listen("notes/*", since=str(place)) as listener:
        assert told(await listener.events()) == [("notes/*", "a"), ("notes/*", "c")]


async def test_what_is_said(board):
    """Hooks have their say in what one client is told by itself."""

    @board.client.app.on.realtime_message_send()
    async def change(event):
        if event.topic == "secret":
            raise event.refuse("Not that.")
        event.data = {"changed": event.data}

    live = board.client.backend.live
    async with board.client.listen("news", "secret") as listener:
        assert await live.say(listener.client_id, "news", b'{"a":1}')
        assert not await live.say(listener.client_id, "secret", b"{}")
        assert not await live.say("somebody else", "news", b"{}")
        [event] = await listener.events()

    assert (event.name, event.json) == ("news", {"changed": {"a": 1}})


async def test_a_hook_that_takes_too_long(board):
    """Past the time of hooks, who keeps a place is told to read anew, and everything goes on."""
    board.client.backend.hooks.seconds = 0.2

    @board.client.app.on.realtime_message_send()
    async def hang(event):
        if event.data["record"]["title"] == "hang":
            await asyncio.sleep(60)

    async with board.client.listen("notes/*", since="") as keeper, board.client.listen("notes/*") as other:
        for title in ("hang", "on"):
            await board.add(title=title)
        kept, heard = told(await keeper.events(1.0)), told(await other.events())

    assert kept == [("resync", None), ("notes/*", "on")]
    assert heard == [("notes/*", "on")]
