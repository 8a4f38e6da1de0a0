"""Following the change log while others write: every entry once, in order, however late its commit."""

import asyncio
from random import Random

import pytest

from undercroft.database.changes import Change, append_change, changes_since, settled_change_id
from undercroft.database.postgresql import PostgresEngine

pytestmark = pytest.mark.anyio

WRITERS = 8


def append(engine, tx, record):
    return append_change(tx, engine.dialect, Change("record", "posts", record, "create"))


async def records(engine, position=0, limit=1000):
    found = await changes_since(engine, position, limit)
    return [entry.change.record for entry in found if entry.change.kind == "record"]


@pytest.fixture
def pause(database):
    """A statement that takes so many seconds, where writes run beside each other."""
    return lambda seconds: f"SELECT pg_sleep({seconds})" if database else "SELECT 1"


class Undone(Exception):
    pass


async def test_an_entry_waits_for_those_before_it(postgres, postgres_template):
    """A transaction that has its number and is not done holds up what was numbered after it, and nothing else."""
    engine = await PostgresEngine.open(postgres.database(postgres_template))
    await engine.write(lambda tx: append(engine, tx, "first"))
    began, may_end = asyncio.Event(), asyncio.Event()

    async def late(tx):
        await append(engine, tx, "late")
        began.set()
        await may_end.wait()

    task = asyncio.create_task(engine.write(late))
    await began.wait()
    await engine.write(lambda tx: append(engine, tx, "early"))
    meanwhile = await records(engine)
    may_end.set()
    await task

    assert meanwhile == ["first"]
    assert await records(engine) == ["first", "late", "early"]
    await engine.close()


async def test_an_entry_that_is_undone_holds_up_nobody(engine):
    """Its number stays empty."""

    async def fail(tx):
        await append(engine, tx, "undone")
        raise Undone

    with pytest.raises(Undone):
        await engine.write(fail)
    await engine.write(lambda tx: append(engine, tx, "done"))

    assert await records(engine) == ["done"]


async def test_who_begins_now_sees_what_comes(engine):
    """Not what was there before."""
    await engine.write(lambda tx: append(engine, tx, "before"))
    position = await settled_change_id(engine)
    await engine.write(lambda tx: append(engine, tx, "after"))

    assert await records(engine, position) == ["after"]


async def test_a_follower_misses_nothing(engine, pause, seed):
    """Eight writers, some slow, some undone, some with many entries; followers who ask all the time, in portions."""
    chance, written = Random(seed), []
    is_over = asyncio.Event()

    async def write(name):
        names = [f"{name}.{number}" for number in range(chance.choice([1, 1, 1, 7]))]
        is_undone, seconds = chance.random() < 0.2, chance.choice([0, 0, 0.002, 0.02])

        async def operation(tx):
            for each in names:
                await append(engine, tx, each)
                await tx.run(pause(seconds))
            if is_undone:
                raise Undone

        try:
            await engine.write(operation)
            written.extend(names)
        except Undone:
            pass

    async def keep_writing(writer):
        for number in range(40):
            await write(f"{writer}.{number}")

    async def follow(limit):
        position, seen = 0, []
        while True:
            was_over = is_over.is_set()
            entries = await changes_since(engine, position, limit)
            seen += entries
            position = entries[-1].id if entries else position
            await asyncio.sleep(0.001)
            if was_over and not entries:
                return seen

    followers = [asyncio.create_task(follow(limit)) for limit in (1000, 3)]
    await asyncio.gather(*(keep_writing(writer) for writer in range(WRITERS)))
    is_over.set()
    for seen in await asyncio.gather(*followers):
        ids = [entry.id for entry in seen]
        assert ids == sorted(set(ids))
        assert sorted(entry.change.record for entry in seen if entry.change.kind == "record") == sorted(written)
