"""The postman: sends what is due, tries again what failed, and gives up what never will get through."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging

import pytest
from mail_server import mail_server
from network import free_port

from undercroft.database.queue_keeping import count_states
from undercroft.mail.keeping import list_entries, retry
from undercroft.mail.message import Letter, Mailbox
from undercroft.mail.outbox import LETTERS, enqueue, seal
from undercroft.mail.postman import Pace, Postman
from undercroft.mail.smtp import MailServer, SmtpCarrier

pytestmark = pytest.mark.anyio
QUICK = Pace(look_every=0.1, first_delay=0.05, growth=1.0, first_rest=0.05, longest_rest=0.1, farewell=5.0)


@contextlib.asynccontextmanager
async def at_work(engine, port, pace=QUICK, whole=20.0):
    """A postman at work, woken as the company does it."""
    postman = Postman(engine, SmtpCarrier(MailServer("127.0.0.1", port), whole), pace)
    engine.listeners["outbox"] = postman.wake
    task = asyncio.create_task(postman.run())
    try:
        yield postman
    finally:
        await postman.stop()
        await task


async def put(engine, *addresses, **more):
    """Put a letter in; its Message-ID."""
    to = tuple(Mailbox(address) for address in addresses or ("ada@example.com",))
    letter = seal(Letter(Mailbox("desk@example.com"), to, "Hello", "<p>Hello</p>"), "news", **more)
    await engine.write(lambda tx: enqueue(tx, engine.dialect, letter))


async def until(engine, **states):
    """Wait until so many letters are in each state; all of them."""

    async def are_there():
        return await count_states(engine, LETTERS) == states

    await wait_for(are_there)
    return await list_entries(engine, tuple(states))


async def until_noted(engine, text):
    """Wait until a letter that waits has a reason for it."""

    async def is_noted():
        return any(entry.note and text in entry.note for entry in await list_entries(engine, ["waiting"]))

    await wait_for(is_noted)


async def wait_for(holds):
    """Return once it holds; raises `AssertionError` after twenty seconds."""
    for _ in range(1000):
        if await holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError


async def test_sends(engine):
    """A letter is sent as soon as its transaction is durable, long before anybody would look."""
    async with mail_server() as server, at_work(engine, server.port, Pace(look_every=3600.0)):
        await asyncio.sleep(0.1)
        await put(engine)
        (caught,) = await server.arrived()
        (entry,) = await until(engine, sent=1)

    assert caught.recipients == ["ada@example.com"]
    assert entry.note == "taken as 1"


async def test_finds_what_others_left(engine):
    """What was put in while no postman was there, or by a process without one, is sent too."""
    await put(engine)
    async with mail_server() as server, at_work(engine, server.port):
        await server.arrived()
        engine.listeners.clear()
        await put(engine, "bob@example.com")
        await server.arrived(2)


async def test_server_away(engine, caplog):
    """While the server is away letters wait, one line is logged, and all arrive once it is back."""
    port = free_port()
    async with at_work(engine, port):
        await put(engine, *(f"a{number}@example.com" for number in range(20)))
        await until_noted(engine, str(port))
        await asyncio.sleep(0.3)
        assert await count_states(engine, LETTERS) in ({"waiting": 20}, {"waiting": 19, "sending": 1})
        async with mail_server(port=port) as server:
            await server.arrived(20)
            await until(engine, sent=20)

    assert len(server.letters) == 20
    assert sum("have to wait" in line.message for line in caplog.records) == 1


async def test_rests_while_the_server_is_away(engine):
    """Of many letters one is tried at a time while the server is away, and the others' attempts are not used up."""
    async with at_work(engine, free_port()):
        await put(engine, *(f"a{number}@example.com" for number in range(50)))
        await asyncio.sleep(0.5)

    entries = await list_entries(engine, ["waiting", "sending"])
    assert len(entries) == 50
    assert sum(entry.attempts for entry in entries) < 30


async def test_refused_for_now(engine):
    """A letter that is refused for the moment is tried again until it is taken."""
    async with mail_server() as server:
        server.refusals += ["451 later", "452 still later"]
        async with at_work(engine, server.port):
            await put(engine)
            await server.arrived()
            (entry,) = await until(engine, sent=1)

    assert entry.attempts == 3
    assert len(server.letters) == 1


async def test_refused_for_good(engine, caplog):
    """A letter that is refused for good is given up at once, with the reason; its neighbours arrive."""
    async with mail_server() as server:
        server.recipients["bob@example.com"] = "550 no such user"
        async with at_work(engine, server.port):
            await put(engine, "ada@example.com", "bob@example.com", "eve@example.com")
            await server.arrived(2)
            await until(engine, sent=2, dead=1)
        (dead,) = await list_entries(engine, ["dead"])
        assert (dead.recipient, dead.attempts) == ("bob@example.com", 1)
        assert "550 no such user" in dead.note
        assert dead.id in caplog.text
        assert "bob@example.com" not in caplog.text

        del server.recipients["bob@example.com"]
        async with at_work(engine, server.port):
            await retry(engine, dead.id)
            await server.arrived(3)


async def test_expires(engine):
    """A letter that did not get through before it expires is given up, and never comes too late."""
    port = free_port()
    async with at_work(engine, port):
        await put(engine, seconds=0.5)
        (entry,) = await until(engine, dead=1)
        async with mail_server(port=port) as server:
            await put(engine, "bob@example.com")
            await server.arrived()

    assert [caught.recipients for caught in server.letters] == [["bob@example.com"]]
    assert "in time" in entry.note
    assert str(port) in entry.note


async def test_silent_server(engine):
    """A server that takes letters and does not answer holds up nobody for longer than is allowed."""
    async with mail_server() as server:
        server.get_stuck()
        async with at_work(engine, server.port, whole=0.2):
            await put(engine)
            await until_noted(engine, "in time")
            server.go_on()
            await server.arrived()
            await until(engine, sent=1)


async def test_few_at_once(engine):
    """Two processes together open no more connections than is allowed."""
    pace = Pace(at_once=3, look_every=0.05)
    async with mail_server() as server:
        server.pause = 0.05
        async with at_work(engine, server.port, pace), at_work(engine, server.port, pace):
            await put(engine, *(f"a{number}@example.com" for number in range(24)))
            await server.arrived(24)
            await until(engine, sent=24)

    assert len(server.letters) == 24
    assert server.most_at_once <= 3


async def test_lets_them_arrive(engine):
    """A postman that is told to stop takes no more letters, and waits for those on their way."""
    async with mail_server() as server:
        server.get_stuck()

        async def is_on_its_way():
            return server.at_once == 1

        async with at_work(engine, server.port, Pace(at_once=1)):
            await put(engine, "ada@example.com", "bob@example.com")
            await wait_for(is_on_its_way)
            asyncio.get_running_loop().call_later(0.3, server.go_on)

    assert len(server.letters) == 1
    assert await count_states(engine, LETTERS) == {"sent": 1, "waiting": 1}


async def test_leaves_what_takes_too_long(engine):
    """A letter that is still on its way when the patience of a postman who was told to stop ends is the next one's."""
    async with mail_server() as server:
        server.get_stuck()

        async def is_on_its_way():
            return server.at_once == 1

        async with at_work(engine, server.port, Pace(farewell=0.1)):
            await put(engine)
            await wait_for(is_on_its_way)

        (entry,) = await until(engine, waiting=1)
        server.go_on()
        async with at_work(engine, server.port):
            await until(engine, sent=1)

    assert "stopped" in entry.note


async def test_a_fault_of_ours(engine, caplog):
    """What nobody expected is logged, and the letter is tried again."""

    class Broken:
        times = 0

        async def carry(self, _):
            self.times += 1
            if self.times == 1:
                raise RuntimeError("a fault")
            return "taken"

    postman = Postman(engine, Broken(), QUICK)
    await put(engine)
    task = asyncio.create_task(postman.run())
    (entry,) = await until(engine, sent=1)
    await postman.stop()
    await task

    assert entry.attempts == 2
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.ERROR]


def test_pauses_grow():
    """The pauses between attempts grow up to six hours, so that three days have about twenty of them."""
    pauses = [Pace().delay(number) for number in range(1, 30)]

    assert 8 <= pauses[0] <= 12
    assert all(before < after for before, after in itertools.pairwise(pauses[:7]))
    assert 4.5 * 3600 < min(pauses[10:]) <= max(pauses) < 7.5 * 3600
