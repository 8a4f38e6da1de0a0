"""Who is asked for when records go, under rules that look at others: once each, and not more than can be asked."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

import pytest

from undercroft.errors import Unavailable
from undercroft.realtime import live, written_hearers
from undercroft.records import hearers

LOOKS_AT_OTHERS = "owner.name = 'Ann' || owner.name = @request.query.name"


def topic(**query):
    return f"notes/*?options={quote(json.dumps({'query': query}))}"


async def written(board):
    return (await board.client.backend.engine.read('SELECT count(*) FROM "_hearers"'))[0][0]


async def test_what_no_rule_reads_makes_no_difference(board):
    """A hundred topics of one guest are one to ask for, and each hears of the delete."""
    await board.rules(listRule="owner.name = 'Ann'")
    note = await board.add(owner=board.ann_id)
    topics = [topic(odd=str(number)) for number in range(100)]
    async with board.client.listen(*topics) as guest:
        await board.drop(note)
        heard = [(await guest.event()).json["action"] for _ in topics]

    assert heard == ["delete"] * 100
    assert await written(board) == 1


async def test_what_the_rule_reads_does(board):
    """Whoever asks so that the rule is true hears of the delete, and nobody else."""
    await board.rules(listRule=LOOKS_AT_OTHERS)
    note = await board.add(owner=board.ben_id)
    async with board.client.listen(topic(name="Ben")) as ben, board.client.listen(topic(name="Cat")) as cat:
        await board.drop(note)

        assert (await ben.event()).json["action"] == "delete"
        assert await cat.events() == []
    assert await written(board) == 2


async def test_guests_leave_room(board, monkeypatch):
    """Of guests no more are written down than fit beside accounts, however many ways to ask they think of at once."""
    monkeypatch.setattr(written_hearers, "MOST_GUESTS", 5)
    monkeypatch.setattr(written_hearers, "MOST_QUESTIONS", 6)
    await board.rules(listRule=LOOKS_AT_OTHERS)
    note = await board.add(owner=board.ben_id)
    async with board.client.listen() as one, board.client.listen() as other:
        await asyncio.gather(
            one.subscribe(*(topic(name=str(n)) for n in range(50))),
            other.subscribe(*(topic(name=str(n)) for n in range(50, 100))),
        )
        async with board.client.listen(topic(name="Ben"), as_=board.ben) as ben:
            assert (await written(board), len(board.client.backend.live._written)) == (6, 6)
            await board.drop(note)
            assert (await ben.event()).json["record"]["id"] == note["id"]


async def test_accounts_are_asked_for_first(board, monkeypatch):
    """Also where other processes have written down many guests a moment ago."""
    monkeypatch.setattr(hearers, "MOST_GUESTS", 5)
    await board.rules(listRule=LOOKS_AT_OTHERS)
    note = await board.add(owner=board.ben_id)
    engine, notes = board.client.backend.engine, board.client.backend.catalog.collection("notes")
    async with board.client.listen(topic(name="Ben"), as_=board.ben) as ben:
        many = [hearers.Hearer("list", "", "", {"name": str(n)}, {}) for n in range(20)]
        others = {each.key(notes): (notes.id, each) for each in many}
        await engine.write(lambda tx: hearers.keep_hearers(tx, engine.dialect, others))
        monkeypatch.setattr(hearers, "MOST_QUESTIONS", 6)
        asked, ask = [], hearers.Hearings._ask

        async def note_who(self, collection, record_id, hearer):
            asked.append(hearer)
            return await ask(self, collection, record_id, hearer)

        monkeypatch.setattr(hearers.Hearings, "_ask", note_who)
        await board.drop(note)
        assert (await ben.event()).json["record"]["id"] == note["id"]

    assert [bool(each.account) for each in asked] == [True] + [False] * 5


@pytest.fixture
def kept():
    return written_hearers.WrittenHearers()


def some(count, account="", collection="notes"):
    """So many hearers who differ in what the rule reads."""
    made = [written_hearers.Hearer("list", "users", account, {"n": str(n)}, {}) for n in range(count)]
    return {f"{collection}/{account}/{each.query['n']}": (collection, each) for each in made}


def test_what_was_written_long_ago_is_written_again(kept):
    """After two minutes a place is free, and who still listens gets it."""
    assert kept.take(some(1), 0.0) == some(1)
    assert kept.take(some(1), written_hearers.SECONDS - 1) == {}
    assert kept.take(some(1), written_hearers.SECONDS) == some(1)


def test_one_account_has_a_few(kept):
    """Each for itself, and in each collection."""
    most = written_hearers.MOST_OF_ONE

    assert len(kept.take(some(most + 9, "ann"), 0.0)) == most
    assert len(kept.take(some(9, "ben") | some(9, "ann", "posts"), 1.0)) == 18


def test_what_nobody_waits_for_makes_room(kept):
    """Neither those who listen no more, nor those who could not be written down."""
    most = written_hearers.MOST_OF_ONE
    kept.take(some(most, "ann"), 0.0)
    kept.keep_only(some(1, "ann"))
    taken = kept.take(some(most, "ann"), 1.0)
    kept.drop(taken)

    assert len(taken) == most - 1
    assert len(kept) == 1


def test_there_is_an_end_to_all_of_them(kept, monkeypatch):
    """Over all collections together."""
    monkeypatch.setattr(written_hearers, "MOST_IN_ALL", 12)
    for number in range(3):
        kept.take(some(5, "ann", f"collection{number}"), 0.0)

    assert len(kept) == 12
    assert len(kept.take(some(5, "ben", "notes"), written_hearers.SECONDS)) == 5


async def test_what_cannot_be_written_down_is_tried_again(board, monkeypatch):
    """And what was written down before it counts."""
    monkeypatch.setattr(live, "_WRITTEN_AT_ONCE", 3)
    await board.rules(listRule=LOOKS_AT_OTHERS)
    keep, calls = live.keep_hearers, []

    async def nothing():
        pass

    async def fail_once(tx, dialect, hearers):
        calls.append(len(hearers))
        if len(calls) == 2:
            raise Unavailable
        await keep(tx, dialect, hearers)

    monkeypatch.setattr(live, "keep_hearers", fail_once)
    monkeypatch.setattr(board.client.backend.live, "_keep_all_hearers", nothing)  # it comes once a second
    topics = [topic(name=str(n)) for n in range(7)]
    async with board.client.listen() as guest:
        body = {"clientId": guest.client_id, "subscriptions": topics}
        statuses = [(await board.client.post("/api/realtime", body)).status for _ in range(2)]

    assert statuses == [503, 204]
    assert calls == [3, 3, 3, 1]
    assert await written(board) == 7
