"""The data format: numbered steps, each once and whole."""

import asyncio

import pytest

from undercroft.database.engine import SqlError
from undercroft.database.formats import SYSTEM_MIGRATIONS
from undercroft.database.migrations import Migration, migrate
from undercroft.database.refusals import NewerDataFormat
from undercroft.database.sqlite import SqliteEngine

pytestmark = pytest.mark.anyio


def step(number, sql):
    async def apply(tx, dialect):
        for statement in sql:
            await tx.run(statement)

    return Migration(number, f"step {number}", apply)


STEPS = (step(1, ["CREATE TABLE a (x)"]), step(2, ["ALTER TABLE a RENAME COLUMN x TO y", "INSERT INTO a VALUES (2)"]))


async def tables(engine):
    return {row[0] for row in await engine.read("SELECT name FROM sqlite_schema WHERE type = 'table'")}


async def test_steps_are_taken_in_order(engine):
    """A new file gets them all, whatever order they are listed in."""
    taken = await migrate(engine, STEPS[::-1])

    assert [one.number for one in taken] == [1, 2]
    assert await engine.read("SELECT y FROM a") == [(2,)]
    assert await engine.read("SELECT number, name FROM _migrations") == [(1, "step 1"), (2, "step 2")]


async def test_steps_are_taken_once(engine):
    """The second start takes none, a later program only the new ones."""
    await migrate(engine, STEPS[:1])

    assert [one.number for one in await migrate(engine, STEPS)] == [2]
    assert await migrate(engine, STEPS) == []


async def test_a_failing_step_leaves_the_old_format(engine):
    """What a step did before it failed is undone; the steps before it stand."""
    broken = step(2, ["INSERT INTO a VALUES (1)", "ALTER TABLE a ADD COLUMN z", "CREATE TABLE a (again)"])

    with pytest.raises(SqlError) as refused:
        await migrate(engine, (STEPS[0], broken))

    assert "already exists" in refused.value.detail

    assert await engine.read("SELECT * FROM a") == []
    assert [one.number for one in await migrate(engine, STEPS)] == [2]


async def test_newer_data_is_refused(engine):
    """A program does not touch what a later one wrote."""
    await migrate(engine, STEPS)

    with pytest.raises(NewerDataFormat, match=r"format 2.*up to 1"):
        await migrate(engine, STEPS[:1])


async def test_processes_that_start_together_take_each_step_once(path, engine):
    """Each asks again once it holds the writer."""
    others = [await SqliteEngine.open(path) for _ in range(3)]

    taken = await asyncio.gather(*(migrate(one, STEPS) for one in [engine, *others]))

    assert sorted(one.number for steps in taken for one in steps) == [1, 2]
    for other in others:
        await other.close()


async def test_the_first_format(engine):
    """It has the tables of the backend itself."""
    await migrate(engine, SYSTEM_MIGRATIONS)

    assert {"_migrations", "_collections", "_params", "_changes"} <= await tables(engine)


async def test_collection_names_know_no_case(engine):
    """Two collections cannot differ in case alone, as their tables could not."""
    await migrate(engine, SYSTEM_MIGRATIONS)
    insert = "INSERT INTO _collections (id, name) VALUES (?, ?)"

    async def twice(tx):
        await tx.run(insert, ("1", "Posts"))
        await tx.run(insert, ("2", "posts"))

    with pytest.raises(Exception, match=r"_collections\.name"):
        await engine.write(twice)
