"""Interactive transactions: a block on the event loop that holds the writer, for a while."""

import asyncio
import time

import pytest

from undercroft.database.engine import QueryTimeout, UniqueViolation, WriteQueueFull
from undercroft.errors import Unavailable

pytestmark = pytest.mark.anyio

INSERT = "INSERT INTO notes (id) VALUES (?)"


async def names(engine):
    return [row[0] for row in await engine.read("SELECT id FROM notes ORDER BY id")]


async def test_a_block_commits_when_it_ends(engine):
    """Statements run between other awaits, and stand together."""
    async with engine.transaction() as tx:
        await tx.run(INSERT, ("a",))
        await asyncio.sleep(0.01)
        assert await tx.run("SELECT id FROM notes") == [("a",)]
        assert await names(engine) == []
        await tx.run(INSERT, ("b",))

    assert await names(engine) == ["a", "b"]


async def test_a_block_that_raises_is_undone(engine, add):
    """Nothing of it stays, its error is the caller's, and the writer goes on."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block as a whole is what raises
        async with engine.transaction() as tx:
            await tx.run(INSERT, ("a",))
            raise ZeroDivisionError

    await engine.write(add("b"))
    assert await names(engine) == ["b"]


async def test_a_refused_statement_leaves_the_block_its_choice(engine):
    """Caught, the rest stands."""
    async with engine.transaction() as tx:
        await tx.run(INSERT, ("a",))
        with pytest.raises(UniqueViolation):
            await tx.run(INSERT, ("a",))
        await tx.run(INSERT, ("b",))

    assert await names(engine) == ["a", "b"]


async def test_writes_wait_for_the_block(engine, add):
    """What comes meanwhile is done after it, in order."""
    async with engine.transaction() as tx:
        write = asyncio.ensure_future(engine.write(add("b")))
        await asyncio.sleep(0.05)
        assert not write.done()
        await tx.run(INSERT, ("a",))

    assert await write == "b"
    assert await names(engine) == ["a", "b"]


async def test_blocks_follow_each_other(engine):
    """Two blocks never hold the writer together."""

    async def add_one():
        async with engine.transaction() as tx:
            (count,) = (await tx.run("SELECT count(*) FROM notes"))[0]
            await asyncio.sleep(0.001)
            await tx.run(INSERT, (f"{count:02}",))

    await asyncio.gather(*(add_one() for _ in range(10)))

    assert await names(engine) == [f"{count:02}" for count in range(10)]


async def test_a_block_has_a_time_limit(engine, add):
    """Past it the next statement fails, all is undone, and the writer has gone on already."""
    with pytest.raises(QueryTimeout):  # noqa: PT012 - the block as a whole is what raises
        async with engine.transaction(seconds=0.1) as tx:
            await tx.run(INSERT, ("a",))
            assert await engine.write(add("b")) == "b"
            await tx.run(INSERT, ("c",))

    assert await names(engine) == ["b"]


async def test_a_block_that_ends_too_late_did_not_happen(engine):
    """A commit past the limit is refused."""
    with pytest.raises(QueryTimeout):  # noqa: PT012 - the block as a whole is what raises
        async with engine.transaction(seconds=0.05) as tx:
            await tx.run(INSERT, ("a",))
            await asyncio.sleep(0.1)

    assert await names(engine) == []


async def test_a_statement_cannot_outlive_the_block(engine, count_slowly):
    """A statement that still runs at the limit is stopped."""
    started = time.perf_counter()
    with pytest.raises(QueryTimeout):
        async with engine.transaction(seconds=0.2) as tx:
            await tx.run(count_slowly, (10**12,))

    assert time.perf_counter() - started < 2


async def test_a_cancelled_block_is_undone(engine, add):
    """Its caller went away; the writer is free at once."""

    async def hold():
        async with engine.transaction(seconds=30) as tx:
            await tx.run(INSERT, ("a",))
            await asyncio.sleep(30)

    task = asyncio.ensure_future(hold())
    await asyncio.sleep(0.05)
    task.cancel()
    async with asyncio.timeout(2):
        await engine.write(add("b"))

    assert await names(engine) == ["b"]


async def test_a_block_cancelled_before_its_turn_holds_nothing(engine, add):
    """One that waited for the writer and is no longer wanted lets the next one in."""

    async def hold():
        async with engine.transaction(seconds=30):
            await asyncio.sleep(30)

    async with engine.transaction():
        task = asyncio.ensure_future(hold())
        await asyncio.sleep(0.01)
        task.cancel()
    async with asyncio.timeout(2):
        assert await engine.write(add("a")) == "a"


async def test_after_commit_of_a_block(engine):
    """Actions run once the block is durable, and not when it is undone."""
    seen = []
    async with engine.transaction() as tx:
        tx.after_commit(lambda: seen.append("done"))
        assert seen == []
    assert seen == ["done"]

    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - likewise
        async with engine.transaction() as tx:
            tx.after_commit(lambda: seen.append("never"))
            raise ZeroDivisionError
    assert seen == ["done"]


async def test_blocks_count_in_the_queue(opened):
    """A block that waits takes a place, and gives it back."""
    async with opened(write_queue=1) as engine:
        async with engine.transaction():
            with pytest.raises(WriteQueueFull):
                async with engine.transaction():
                    pass
        async with asyncio.timeout(10):
            while engine._writer._waiting:  # noqa: ASYNC110 - the place is free a moment after the answer
                await asyncio.sleep(0.001)
        async with engine.transaction() as tx:
            await tx.run(INSERT, ("a",))


async def test_a_closed_engine_begins_no_block(engine):
    """After the end a block is refused."""
    await engine.close()

    with pytest.raises(Unavailable):
        async with engine.transaction():
            pass
