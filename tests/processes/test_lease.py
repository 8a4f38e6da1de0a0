"""Leases: held by one, until a moment by the database's clock, and never believed for longer."""

import asyncio

import pytest

from undercroft.database.leader import Duty, Leader
from undercroft.database.lease import Lease, LeaseLost

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that goes when it is told to; the database's and each process's are set apart."""

    def __init__(self):
        self.database = 1_000_000.0
        self.process = 500.0

    def go(self, seconds):
        self.database += seconds
        self.process += seconds


@pytest.fixture
def clock(engine):
    """The clock that the database goes by."""
    made = Clock()
    engine.dialect.clock = lambda: f"CAST({made.database!r} AS double precision)"
    return made


@pytest.fixture
def holder(engine, clock):
    """Makes a process that wants the lease for ten seconds at a time."""
    return lambda owner: Lease(engine, "leader", owner, seconds=10, clock=lambda: clock.process)


async def act(engine, lease, done):
    """Write something as the holder."""

    async def operation(tx):
        await lease.check(tx)
        done.append(lease.owner)

    await engine.write(operation)


async def test_one_at_a_time(holder, clock):
    """A second one gets it when the first one's time is over, not a moment before."""
    first, second = holder("a"), holder("b")

    assert await first.take()
    assert not await second.take()
    clock.go(9.9)
    assert not await second.take()
    clock.go(0.2)
    assert await second.take()
    assert not first.is_held


async def test_prolonged_for_as_long_as_it_lives(holder, clock):
    """A holder who asks again in time keeps it, and it stays the same turn."""
    first, second = holder("a"), holder("b")
    await first.take()
    turn = first._held.turn
    for _ in range(10):
        clock.go(5)
        assert await first.take()
        assert not await second.take()

    assert first._held.turn == turn


async def test_given_back(holder, clock):
    """A holder who releases it makes way at once."""
    first, second = holder("a"), holder("b")
    await first.take()
    await first.release()

    assert not first.is_held
    assert await second.take()


async def test_a_late_release_takes_nothing_from_the_next(holder, clock):
    """Who releases after having been followed ends nobody's turn."""
    first, second = holder("a"), holder("b")
    await first.take()
    clock.go(11)
    await second.take()
    await first.release()

    assert not await holder("c").take()


async def test_a_holder_that_stalled_does_nothing(engine, holder, clock):
    """Who was stopped for longer than the lease notices before writing, whether or not another has taken over."""
    first, second, done = holder("a"), holder("b"), []
    await first.take()
    await act(engine, first, done)
    clock.go(10.5)
    with pytest.raises(LeaseLost):
        await act(engine, first, done)
    await second.take()
    with pytest.raises(LeaseLost):
        await act(engine, first, done)
    await act(engine, second, done)

    assert done == ["a", "b"]


async def test_its_own_clock_may_stand_still(engine, holder, clock):
    """A holder whose own clock did not see the pause, as in a machine that slept, is stopped by the database's."""
    first, second, done = holder("a"), holder("b"), []
    await first.take()
    clock.database += 60
    assert first.is_held
    await second.take()

    with pytest.raises(LeaseLost):
        await act(engine, first, done)
    assert not await first.take()


async def test_it_stops_believing_in_time(holder, clock):
    """By its own clock a holder believes for no longer than the lease, even if the database does not answer."""
    first = holder("a")
    await first.take()
    clock.process += 10

    assert not first.is_held


async def test_a_clock_set_back_holds_nobody_up(holder, clock):
    """An end that is absurdly far away was written by a clock that was wrong."""
    first, second = holder("a"), holder("b")
    await first.take()
    clock.database -= 400 * 86_400

    assert await second.take()


async def test_two_who_ask_at_once(engine, holder, clock):
    """Of twenty who ask at the same moment one gets it."""
    everybody = [holder(str(number)) for number in range(20)]
    for _ in range(5):
        clock.go(20)
        taken = await asyncio.gather(*(lease.take() for lease in everybody))
        assert sum(taken) == 1


async def test_real_clocks(engine):
    """With the clocks of the machine a lease of a second ends after a second."""
    first, second = (Lease(engine, "leader", owner, seconds=1) for owner in "ab")
    assert await first.take()
    assert 0 < await second.remaining() < 1.001
    assert not await second.take()
    await asyncio.sleep(1.05)

    assert await second.take()
    assert not await first.take()


async def test_a_leader_does_what_is_needed_and_no_more(engine, holder, clock):
    """A duty runs for as long as it is needed, in transactions that ask for the lease; without need nothing is written."""
    left, ran = [3], []

    async def is_needed(_):
        return left[0] > 0

    async def run(tx, dialect):
        left[0] -= 1
        ran.append(left[0])

    leader = Leader(engine, lease := holder("a"), [Duty("count down", 60, is_needed, run)])
    await lease.take()
    await leader.do_duties()
    left[0] = 1
    await leader.do_duties()

    assert ran == [2, 1, 0]


async def test_a_leader_that_was_followed_does_nothing(engine, holder, clock):
    """Its duty finds the lease lost, and what it would have done is undone."""

    async def is_needed(_):
        return True

    async def run(tx, dialect):
        await tx.run("DELETE FROM _leases")

    leader = Leader(engine, lease := holder("a"), [Duty("harm", 60, is_needed, run)])
    await lease.take()
    clock.go(11)
    await holder("b").take()

    with pytest.raises(LeaseLost):
        await leader.do_duties()
    assert await engine.read("SELECT owner FROM _leases") == [("b",)]
