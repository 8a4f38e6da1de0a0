"""Coming back: what was missed is told, by the rules and the records as they are now."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from undercroft.database.changes import last_change_id, prune_changes
from undercroft.realtime import replay


def shown(events):
    return [(event.json["action"], event.json["record"]["title"]) for event in events]


async def position(board):
    return str(await last_change_id(board.client.backend.engine.read))


async def test_ids_are_places(board):
    """With `since` each event has its position in the change log, and so has the first."""
    before = await position(board)
    async with board.client.listen("notes/*", since="") as listener:
        await board.add(title="a")
        event = await listener.event()

    assert int(event.id) > int(before)
    assert event.id == await position(board)


async def test_what_was_missed_is_told(board):
    """From the place where the client was, in order, and then what happens."""
    async with board.client.listen("notes/*", since=""):
        since = await position(board)
    note = await board.add(title="a")
    await board.add(title="b")
    await board.drop(note)
    async with board.client.listen("notes/*", since=since) as listener:
        missed = await listener.events()
        await board.add(title="c")
        after = await listener.events()

    assert shown(missed) == [("create", "b"), ("delete", "a")]
    assert shown(after) == [("create", "c")]


async def test_a_browser_tells_its_place_by_itself(board):
    """In a header, which counts more than the address that it began with."""
    async with board.client.listen("notes/*", since="") as listener:
        await board.add(title="a")
        last = (await listener.event()).id
    await board.add(title="b")
    async with board.client.listen("notes/*", since="0", headers={"Last-Event-ID": last}) as listener:
        assert shown(await listener.events()) == [("create", "b")]


async def test_the_rules_of_now_count(board):
    """What may not be seen any more is not told, nor what a record was before."""
    async with board.client.listen("notes/*", since=""):
        since = await position(board)
    await board.add(title="a", owner=board.ben_id)
    mine = await board.add(title="was", owner=board.ann_id)
    await board.change(mine, title="is")
    gone = await board.add(title="gone", owner=board.ben_id)
    await board.drop(gone)
    await board.rules(listRule="owner = @request.auth.id")
    async with board.client.listen("notes/*", since=since, as_=board.ann) as listener:
        assert shown(await listener.events()) == [("create", "is"), ("update", "is")]


async def test_a_delete_that_nobody_kept_asks_to_read_anew(board):
    """Nobody listened when it was done, so nobody can say who might know of it."""
    note = await board.add()
    since = await position(board)
    await board.drop(note)
    async with board.client.listen("notes/*", since=since) as listener:
        event = await listener.event()

    assert (event.name, event.data) == ("resync", "{}")
    assert int(event.id) > int(since)


async def test_a_log_that_does_not_reach_back_asks_to_read_anew(board):
    """And so does a place that was never reached, as after a restored backup."""
    await board.add()
    engine, end = board.client.backend.engine, int(await position(board))
    await engine.write(lambda tx: prune_changes(tx, engine.dialect, end - 1))
    for since in (str(end - 2), str(end + 1000)):
        async with board.client.listen("notes/*", since=since) as listener:
            assert (await listener.event()).name == "resync"
            await board.add(title="after")
            assert shown(await listener.events()) == [("create", "after")]


async def test_a_place_is_not_passed_between_events_of_one_change(board):
    """Only the last of the events of a change has its position."""
    async with board.client.listen("notes/*", "notes", since="") as listener:
        before = await position(board)
        await board.add(title="a")
        first, second = await listener.events()

    assert (first.id, second.id) == (before, await position(board))


@pytest.mark.slow
async def test_coming_and_going(board, seed):
    """Two hundred disconnects at random while four others write: every change is heard once, and none is missed."""
    chance, is_over, heard, written = Random(seed), asyncio.Event(), [], []

    async def write(number):
        notes = []
        while not is_over.is_set():
            if notes and chance.random() < 0.6:
                note = chance.choice(notes)
                await board.change(note, title=f"{number}.{len(written)}")
            else:
                notes.append(await board.add(title=f"{number}.{len(written)}"))
                note = notes[-1]
            written.append(note["id"])
            await asyncio.sleep(chance.random() * 0.08)  # the listener must keep up, or it is told to read anew

    async def listen(since):
        async with board.client.listen("notes/*", since=since) as listener:
            for _ in range(chance.randrange(30)):
                heard.append(await listener.event())
        return heard[-1].id if heard else since

    async with board.client.listen("notes/*", since=""):
        since = await position(board)
    writers = [asyncio.create_task(write(number)) for number in range(4)]
    for _ in range(200):
        since = await listen(since)
        await asyncio.sleep(chance.random() * 0.01)
    is_over.set()
    await asyncio.gather(*writers)
    async with board.client.listen("notes/*", since=since) as listener:
        heard += await listener.events(1.0)

    places = [int(event.id) for event in heard]
    assert "resync" not in {event.name for event in heard}
    assert places == sorted(set(places))
    assert sorted(event.json["record"]["id"] for event in heard) == sorted(written)


async def test_who_was_away_for_too_long_reads_anew(board, monkeypatch):
    """Looking through the log has an end."""
    monkeypatch.setattr(replay, "LONGEST", 3)
    since = await position(board)
    for _ in range(4):
        await board.add()
    async with board.client.listen("notes/*", since=since) as listener:
        assert [event.name for event in await listener.events()] == ["resync"]
