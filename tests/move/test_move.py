"""`undercroft move` from one data directory into another: all of it, the same, and never over what is there."""

from __future__ import annotations

import asyncio

import pytest

from undercroft import testing
from undercroft.database.lock import lock_directory
from undercroft.database.move import MoveFinished, SourceChanged, TargetNotEmpty
from undercroft.database.move_state import MoveCrossed, MoveUnfinished, Place, change_place
from undercroft.database.moved import HOUSE_TABLES, NOT_MOVED
from undercroft.database.refusals import DirectoryInUse

ROWS = "SELECT * FROM things ORDER BY _rowid_"


def test_everything_arrives(data, mover, sql, tmp_path):
    """Records of every type, accounts, definitions and the change log are the same in the target, in their order."""
    outcome = mover.run(data, tmp_path / "other")

    assert outcome.exit_code == 0, outcome.output
    assert mover.report["equal"]
    for table in ("things", "owners", "_collections", "_changes", "_params", "_superusers"):
        query = f"SELECT * FROM {table} ORDER BY _rowid_"
        assert sql(tmp_path / "other", query) == sql(data, query)


def test_indexes_and_views_arrive(data, mover, sql, tmp_path):
    """The target's schema is that of the source, with a table of its own that tells of the move."""
    mover.run(data, tmp_path / "other")

    query = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT IN ('_move', 'sqlite_sequence') ORDER BY 1, 2"
    assert sql(tmp_path / "other", query) == sql(data, query)


def test_the_source_is_left_as_it_is(data, mover, tmp_path):
    """Not a byte of the source's database changes."""
    before = (data / "data.db").read_bytes()

    mover.run(data, tmp_path / "other")

    assert (data / "data.db").read_bytes() == before


def test_a_server_runs_on_the_target(data, mover, tmp_path):
    """The same passwords sign in, views answer, and the change log goes on where it was."""

    asyncio.run(start_server_once(data, writes=True))
    mover.run(data, tmp_path / "other")

    async def use():
        async with testing.client(tmp_path / "other") as client:
            root = await client.login("_superusers", *testing.SUPERUSER)
            counts = await client.get("/api/collections/counts/records", as_=root)
            added = await client.post("/api/collections/things/records", {"text": "new"}, as_=root)
            return counts.json["totalItems"] > 10, added.status

    assert asyncio.run(use()) == (True, 200)


def test_a_finished_move_is_not_repeated(data, mover, tmp_path):
    """A target that a move has filled is refused."""
    mover.run(data, tmp_path / "other")

    with pytest.raises(MoveFinished):
        mover.run(data, tmp_path / "other")


def test_a_used_target_is_refused(data, mover, tmp_path):
    """A database with tables of its own is not written to."""
    asyncio.run(start_server_once(tmp_path / "other"))

    with pytest.raises(TargetNotEmpty):
        mover.run(data, tmp_path / "other")


def test_a_running_server_is_respected(data, mover, tmp_path):
    """While a server holds the source nothing is moved."""
    with lock_directory(data, {}), pytest.raises(DirectoryInUse):
        mover.run(data, tmp_path / "other")


def test_nothing_moves_into_itself(data, mover):
    """Source and target must be two databases, however they are spelt."""
    assert mover.run(data, f"{data}/../data").exit_code == 2


def test_a_server_does_not_start_on_half_a_move(data, mover, sql, tmp_path):
    """Until the move is finished the target is no backend."""
    mover.run(data, tmp_path / "other")
    sql(tmp_path / "other", "UPDATE _move SET value = json_set(value, '$.finished', '') WHERE name = 'move'")

    with pytest.raises(MoveUnfinished):
        asyncio.run(start_server_once(tmp_path / "other"))


def test_a_changed_source_ends_the_move(data, mover, sql, tmp_path):
    """When something was written to the source between two runs, the second says so and stops."""
    mover.run(data, tmp_path / "other")
    sql(tmp_path / "other", "UPDATE _move SET value = json_set(value, '$.finished', '') WHERE name = 'move'")
    asyncio.run(start_server_once(data, writes=True))

    with pytest.raises(SourceChanged):
        mover.run(data, tmp_path / "other")


def test_a_difference_is_found(data, mover, sql, tmp_path):
    """A target that is not the same in the end is reported, by table, and not taken for finished."""
    mover.run(data, tmp_path / "other")
    sql(tmp_path / "other", "UPDATE _move SET value = json_set(value, '$.finished', '') WHERE name = 'move'")
    sql(tmp_path / "other", "UPDATE things SET text = text || 'x' WHERE _rowid_ = 7")

    outcome = mover.run(data, tmp_path / "other")

    assert outcome.exit_code == 1
    assert [table["name"] for table in mover.report["tables"] if table["source"] != table["target"]] == ["things"]
    with pytest.raises(MoveUnfinished):
        asyncio.run(start_server_once(tmp_path / "other"))


def test_tables_of_others_are_named(data, mover, sql, tmp_path):
    """A table that is no collection stays behind, and the report says which."""
    sql(data, "CREATE TABLE notebook (line TEXT)")

    mover.run(data, tmp_path / "other")

    assert mover.report["left"] == ["notebook"]


async def test_two_moves_do_not_mix(engine):
    """A step that is not from where the target stands is refused and undone."""
    await make_move_table(engine)
    await engine.write(lambda tx: change_place(tx, engine.dialect, "t", Place(), Place(1, 1)))

    with pytest.raises(MoveCrossed):
        await engine.write(lambda tx: change_place(tx, engine.dialect, "t", Place(), Place(1, 1)))


async def test_every_table_of_the_house_is_spoken_of(engine):
    """The tables that the data format makes are moved, or listed as not to be."""
    names = {name for (name,) in await engine.read(engine.dialect.list_tables())}

    assert names == {table.name for table in HOUSE_TABLES} | NOT_MOVED - {"_move"}


async def start_server_once(folder, *, writes=False):
    async with testing.client(folder) as client:
        if writes:
            await client.superuser()


async def make_move_table(engine):
    async def make(tx):
        await tx.run('CREATE TABLE "_move" ("name" TEXT, "value" TEXT)')
        await tx.run("""INSERT INTO "_move" VALUES ('table t', '{"after":null,"rows":0,"is_done":false}')""")

    await engine.write(make)
