"""The outbox: letters that share the transaction, are claimed by one, and end in one way."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from undercroft.database import queue
from undercroft.database.queue import Ending, release_all, seconds_until_due
from undercroft.database.queue_keeping import count_states, forget_old, has_old
from undercroft.dates import render_date
from undercroft.errors import Problem
from undercroft.mail.keeping import NoSuchLetter, NotTriedAgain, list_entries, load_entry, retry
from undercroft.mail.message import Letter, Mailbox
from undercroft.mail.outbox import LETTERS, claim_letters, enqueue, seal, sent

pytestmark = pytest.mark.anyio
STATES = ("waiting", "sending", "sent", "dead")


def sealed(*addresses, **more):
    """A letter to some."""
    to = tuple(Mailbox(address) for address in addresses or ("ada@example.com",))
    return seal(Letter(Mailbox("desk@example.com"), to, "Hello", "<p>Hello</p>"), "news", **more)


async def put(engine, *letters):
    """Put letters in, each in a transaction of its own."""
    for letter in letters or (sealed(),):
        await engine.write(lambda tx, letter=letter: enqueue(tx, engine.dialect, letter))


async def take(engine, most=10, seconds=60.0, at_once=10):
    return await engine.write(lambda tx: claim_letters(tx, engine.dialect, most, seconds, at_once))


async def end(engine, letter, ending):
    held = letter.id, letter.attempt
    await engine.write(lambda tx: queue.end(tx, engine.dialect, LETTERS, held, ending))


async def test_shares_the_transaction(engine):
    """What is undone sends no letter; what is kept sends one for each recipient."""

    async def fail(tx):
        await enqueue(tx, engine.dialect, sealed())
        raise Problem

    with pytest.raises(Problem):
        await engine.write(fail)
    assert await seconds_until_due(engine, LETTERS) is None

    await put(engine, sealed("ada@example.com", "bob@example.com"))

    assert await seconds_until_due(engine, LETTERS) <= 0
    assert sorted(entry.recipient for entry in await list_entries(engine, STATES)) == [
        "ada@example.com",
        "bob@example.com",
    ]


async def test_wakes_after_the_commit(engine):
    """Whoever listens is told once the letter is durable, and not of one that was undone."""
    woken = []
    engine.listeners["outbox"] = lambda: woken.append(1)

    async def fail(tx):
        await enqueue(tx, engine.dialect, sealed())
        raise Problem

    with pytest.raises(Problem):
        await engine.write(fail)
    assert woken == []
    await put(engine, sealed("ada@example.com", "bob@example.com"))
    assert woken == [1]


async def test_claimed_once(engine):
    """Twenty who ask at the same moment get each letter once."""
    await put(engine, sealed(*(f"a{number}@example.com" for number in range(30))))

    taken = await asyncio.gather(*(take(engine, most=3, at_once=100) for _ in range(20)))

    ids = [letter.id for letters in taken for letter in letters]
    assert len(ids) == len(set(ids)) == 30


async def test_claims_are_bounded(engine):
    """All together have no more letters on their way than is allowed."""
    await put(engine, sealed(*(f"a{number}@example.com" for number in range(9))))

    assert len(await take(engine, at_once=4)) == 4
    assert await take(engine, at_once=4) == []


async def test_claim_that_ended(engine):
    """A letter whose sender died is claimed again, as the same message; what the first one says then counts no more."""
    await put(engine)
    (first,) = await take(engine, seconds=0.0)

    (second,) = await take(engine)
    await end(engine, first, Ending("dead", "too late to say so"))

    assert second.posted == first.posted
    assert (first.attempt, second.attempt) == (1, 2)
    assert await count_states(engine, LETTERS) == {"sending": 1}
    await end(engine, second, sent("taken"))
    assert await count_states(engine, LETTERS) == {"sent": 1}


async def test_claims_are_released(engine):
    """Where nobody else is at work, what was on its way when the process died is sent again at once."""
    await put(engine)
    await take(engine)
    assert await take(engine) == []

    await release_all(engine, LETTERS)

    assert len(await take(engine)) == 1


async def test_sent(engine):
    """A letter that was sent keeps what was answered, and not what it said."""
    await put(engine)
    (letter,) = await take(engine)

    await end(engine, letter, sent("250 taken"))

    entry, content = await load_entry(engine, letter.id)
    assert (entry.state, entry.note, content) == ("sent", "250 taken", "")
    assert await take(engine) == []


async def test_put_back(engine):
    """A letter that is put back waits, with the reason."""
    await put(engine)
    (letter,) = await take(engine)

    await end(engine, letter, Ending("waiting", "451 later", 100.0))

    assert 90 < await seconds_until_due(engine, LETTERS) <= 100
    entry, content = await load_entry(engine, letter.id)
    assert (entry.state, entry.note, entry.attempts) == ("waiting", "451 later", 1)
    assert content == letter.posted.content


async def test_put_back_until_it_expires(engine):
    """A letter that expires is looked at once more then, and no later; it is known to be late."""
    await put(engine, sealed(seconds=0.2))
    (letter,) = await take(engine)

    await end(engine, letter, Ending("waiting", "451 later", 100.0))

    assert await seconds_until_due(engine, LETTERS) <= 0.2
    await asyncio.sleep(0.25)
    (again,) = await take(engine)
    assert (letter.is_late, again.is_late, again.note) == (False, True, "451 later")


async def test_given_up(engine):
    """A letter that was given up is kept with its last reason, and can be tried again."""
    await put(engine)
    (letter,) = await take(engine)
    await end(engine, letter, Ending("dead", "550 no such user"))
    (entry,) = await list_entries(engine, ["dead"])
    assert entry.note == "550 no such user"

    assert await retry(engine, letter.id) == 1

    (again,) = await take(engine)
    assert (again.posted, again.attempt, again.is_late) == (letter.posted, 1, False)


async def test_retry_all(engine):
    """All that wait or were given up can be tried again at once; those sent stay sent."""
    await put(engine, sealed("a@example.com"), sealed("b@example.com"), sealed("c@example.com"))
    posted, dead, waiting = await take(engine)
    await end(engine, posted, sent(""))
    await end(engine, dead, Ending("dead", "550"))
    await end(engine, waiting, Ending("waiting", "451", 1000.0))

    assert await retry(engine) == 2

    assert await count_states(engine, LETTERS) == {"sent": 1, "waiting": 2}
    with pytest.raises(NotTriedAgain):
        await retry(engine, posted.id)
    with pytest.raises(NoSuchLetter):
        await retry(engine, "nobody")


async def test_old_letters_are_forgotten(engine):
    """Sent letters are kept for a week, given up ones for a month, waiting ones for as long as they wait."""
    dialect = engine.dialect
    await put(engine, *(sealed(f"a{number}@example.com") for number in range(5)))
    letters = await take(engine)
    ages = [("sent", 6), ("sent", 8), ("dead", 29), ("dead", 31), ("waiting", 400)]
    for letter, (state, days) in zip(letters, ages, strict=True):
        sql = f"""UPDATE "_outbox" SET "state" = {dialect.placeholder(1)}, "updated" = {dialect.placeholder(2, "date")}
            WHERE "id" = {dialect.placeholder(3)}"""
        values = (state, days_ago(days), letter.id)
        await engine.write(lambda tx, sql=sql, values=values: tx.run(sql, values))
    assert await has_old(engine, LETTERS)

    await engine.write(lambda tx: forget_old(tx, dialect, LETTERS))

    assert not await has_old(engine, LETTERS)
    assert await count_states(engine, LETTERS) == {"sent": 1, "dead": 1, "waiting": 1}


def days_ago(days):
    return render_date(datetime.now(UTC) - timedelta(days=days))
