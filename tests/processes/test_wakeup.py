"""Wake-ups between processes on one machine."""

import os
import time

import pytest
from stopwatch import Stopwatch

from undercroft.database.changes import Change, append_change
from undercroft.database.wakeup import PAUSE, Bell, Silence
from undercroft.database.wakeup_local import FOLDER, LocalWakeup

pytestmark = pytest.mark.anyio


@pytest.fixture
async def join(tmp_path):
    """Joins the line of one data directory; what was joined is left at the end."""
    joined = []

    async def one():
        joined.append(await LocalWakeup.open(tmp_path))
        return joined[-1]

    yield one
    for wakeup in joined:
        await wakeup.close()


async def quiet(*wakeups):
    """Let what opening rang be heard, so that the next is what the test rings."""
    for wakeup in wakeups:
        while await wakeup.heard(2 * PAUSE):
            pass


async def test_all_others_hear(join):
    """Who rings wakes everybody else, and not themselves."""
    first, second, third = await join(), await join(), await join()
    await quiet(first, second, third)

    watch = Stopwatch()
    first.ring()
    assert await second.heard(1)
    assert await third.heard(1)
    assert watch.seconds() < 0.2
    assert not await first.heard(2 * PAUSE)


async def test_many_rings_are_one(join):
    """A thousand rings at once are heard once or twice."""
    first, second = await join(), await join()
    await quiet(first, second)
    for _ in range(1000):
        first.ring()

    heard = 0
    while await second.heard(3 * PAUSE):
        heard += 1
    assert 1 <= heard <= 2


async def test_what_is_rung_during_the_pause_is_not_lost():
    """A ring after a call is followed by another call."""
    calls = []
    bell = Bell(lambda: calls.append(time.perf_counter()))
    bell.ring()
    await Silence().heard(0.005)
    bell.ring()
    bell.ring()
    await Silence().heard(3 * PAUSE)

    assert len(calls) == 2
    assert calls[1] - calls[0] >= PAUSE * 0.9


async def test_the_killed_leave_no_socket_for_long(join, tmp_path):
    """The socket of a process that was killed goes when somebody rings."""
    dead = await join()
    dead._receiver.close()
    living = await join()
    await quiet(living)

    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [living._name]


async def test_nothing_is_left_behind(tmp_path):
    """Who leaves takes the socket along, and may ring before and after without harm."""
    wakeup = await LocalWakeup.open(tmp_path)
    wakeup.ring()
    await wakeup.close()
    await Silence().heard(2 * PAUSE)

    assert list((tmp_path / FOLDER).iterdir()) == []


async def test_paths_may_be_long(tmp_path):
    """A data directory may lie deeper than the address of a socket can say."""
    deep = tmp_path / ("d" * 120) / ("e" * 120)
    deep.mkdir(parents=True)
    first, second = await LocalWakeup.open(deep), await LocalWakeup.open(deep)
    await quiet(first, second)
    first.ring()

    assert await second.heard(1)
    await first.close()
    await second.close()


async def test_a_full_socket_does_not_stop_the_ringing(join):
    """Who does not listen stops nobody: the others are woken all the same."""
    first, deaf, other = await join(), await join(), await join()
    await quiet(first, deaf, other)
    for _ in range(400):
        first._send(b"!")

    assert await other.heard(1)


@pytest.mark.parametrize("kind", ["collection", "settings"])
async def test_a_commit_tells_who_listens(engine, kind):
    """A listener is called once for an operation that announces its kind, before the answer, and never when undone."""
    heard = []
    engine.listeners[kind] = lambda: heard.append(kind)

    async def change(tx):
        for _ in range(3):
            await append_change(tx, engine.dialect, Change(kind, "x", "", "update"))
        assert heard == []

    async def fail(tx):
        await change(tx)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await engine.write(fail)
    assert heard == []
    await engine.write(change)
    assert heard == [kind]
    async with engine.transaction() as tx:
        heard.clear()
        await change(tx)
    assert heard == [kind]


async def test_records_wake_nobody(engine):
    """Where nobody listens to records, a write of one announces nothing."""
    heard = []
    engine.listeners["settings"] = lambda: heard.append(1)
    await engine.write(lambda tx: append_change(tx, engine.dialect, Change("record", "x", "y", "update")))

    assert heard == []


async def test_listening_is_cheap(engine):
    """To announce what nobody listens to costs a write less than two microseconds."""
    times = []

    async def measure(tx):
        for _ in range(20):
            began = time.perf_counter()
            for _ in range(1000):
                tx.announce("record")
            times.append((time.perf_counter() - began) / 1000)

    await engine.write(measure)

    assert min(times) < 2e-6


async def test_the_folder_is_the_owners(join, tmp_path):
    """Nobody else on the machine can ring."""
    await join()

    assert os.stat(tmp_path / FOLDER).st_mode & 0o077 == 0  # noqa: PTH116 - the mode is the fact
