"""`undercroft move`: all of it, the same, to either engine and back, and never over what is there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from postgres import in_thread
from roots import carry_root

from undercroft import testing
from undercroft.cli import move as cli
from undercroft.cli import places
from undercroft.cli.adopt import run_adoption
from undercroft.cli.data import Place as Directory
from undercroft.database.lock import lock_directory
from undercroft.database.move import MoveFinished, OlderDataFormat, SourceChanged, TargetNotEmpty, check_move
from undercroft.database.move_state import MoveCrossed, MoveUnfinished, Place, change_place
from undercroft.database.moved import HOUSE_TABLES, NOT_MOVED
from undercroft.database.postgresql import PostgresEngine
from undercroft.database.postgresql_options import PostgresOptions
from undercroft.database.refusals import DatabaseInUse, DirectoryInUse
from undercroft.database.sqlite import SqliteEngine
from undercroft.database.sqlite_options import SqliteOptions
from undercroft.errors import Unavailable

TABLES = ("things", "owners", "_collections", "_changes", "_params", "_superusers")
REOPEN = """UPDATE _move SET value = replace(value, '"finished":"', '"finished":"","was":"') WHERE name = 'move'"""


def test_everything_comes_back(data, target, mover, sql, tmp_path):
    """There and back, every value of every record is what it was, and stands where it stood."""
    outcome = mover.run(data, target.name)
    there = mover.hashes()
    mover.run(target.name, tmp_path / "back")

    assert outcome.exit_code == 0, outcome.output
    assert mover.report["equal"]
    assert mover.hashes() == there
    names = [name for (name,) in sql(data, "SELECT name FROM pragma_table_info('things')") if name != "json"]
    query = f"SELECT {', '.join(map(quoted, names))} FROM things ORDER BY _rowid_"
    assert sql(tmp_path / "back", query) == sql(data, query)


def test_a_file_becomes_the_same_file(data, mover, sql, tmp_path):
    """From SQLite to SQLite even the spelling of JSON stays."""
    mover.run(data, tmp_path / "other")

    for table in TABLES:
        query = f"SELECT * FROM {table} ORDER BY _rowid_"
        assert sql(tmp_path / "other", query) == sql(data, query)


def test_indexes_and_views_come_back(data, target, mover, sql, tmp_path):
    """There and back, the schema is that of the source, with a table of its own that tells of the move."""
    mover.run(data, target.name)
    mover.run(target.name, tmp_path / "back")

    query = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT IN ('_move', 'sqlite_sequence') ORDER BY 1, 2"
    assert sql(tmp_path / "back", query) == sql(data, query)


def test_the_source_is_left_as_it_is(data, target, mover):
    """Not a byte of the source's database changes."""
    before = (data / "data.db").read_bytes()

    mover.run(data, target.name)

    assert (data / "data.db").read_bytes() == before


def test_a_server_runs_on_the_target(data, target, mover, tmp_path):
    """The same passwords sign in, views answer, and the change log goes on where it was."""
    asyncio.run(start_server_once(data, writes=True))
    mover.run(data, target.name)
    last = target.sql("SELECT max(id) FROM _changes")[0][0]

    async def use():
        async with open_backend(target, tmp_path) as client:
            root = await client.login("_superusers", *testing.SUPERUSER)
            counts = await client.get("/api/collections/counts/records", as_=root)
            added = await client.post("/api/collections/things/records", {"text": "new"}, as_=root)
            return counts.json["totalItems"] > 10, added.status

    assert asyncio.run(use()) == (True, 200)
    assert target.sql("SELECT max(id) FROM _changes")[0][0] == last + 1


def test_a_finished_move_is_not_repeated(data, target, mover):
    """A target that a move has filled is refused."""
    mover.run(data, target.name)

    with pytest.raises(MoveFinished):
        mover.run(data, target.name)


def test_a_used_target_is_refused(data, target, mover, tmp_path):
    """A database with tables of its own is not written to."""
    asyncio.run(start_server_on(target, tmp_path))

    with pytest.raises(TargetNotEmpty):
        mover.run(data, target.name)


def test_a_running_server_is_respected(data, mover, tmp_path):
    """While a server holds the source nothing is moved."""
    with lock_directory(data, {}), pytest.raises(DirectoryInUse):
        mover.run(data, tmp_path / "other")


def test_a_connected_server_is_respected(data, postgres, mover, monkeypatch):
    """While a server is connected to a PostgreSQL database nothing is moved into it or out of it."""
    monkeypatch.setattr(places, "_FAREWELL", 0.2)
    url = postgres.database()

    async def try_beside():
        engine = await PostgresEngine.open(url)
        try:
            with pytest.raises(DatabaseInUse):
                await asyncio.to_thread(mover.run, data, url)
        finally:
            await engine.close()

    in_thread(try_beside())


def test_an_older_format_is_refused(data, mover, sql, tmp_path):
    """Data that a server would first bring up to date are not moved, because that would change the source."""
    sql(data, "DELETE FROM _migrations WHERE number > 1")

    with pytest.raises(OlderDataFormat):
        mover.run(data, tmp_path / "other")


def test_nothing_moves_into_itself(data, mover):
    """Source and target must be two databases, however they are spelt."""
    assert mover.run(data, f"{data}/../data").exit_code == 2


def test_a_server_does_not_start_on_half_a_move(data, target, mover, tmp_path):
    """Until the move is finished the target is no backend."""
    mover.run(data, target.name)
    target.sql(REOPEN)

    with pytest.raises(MoveUnfinished):
        asyncio.run(start_server_on(target, tmp_path))


def test_a_changed_source_ends_the_move(data, target, mover):
    """When something was written to the source between two runs, the second says so and stops."""
    mover.run(data, target.name)
    target.sql(REOPEN)
    asyncio.run(start_server_once(data, writes=True))

    with pytest.raises(SourceChanged):
        mover.run(data, target.name)


def test_a_difference_is_found(data, target, mover, tmp_path):
    """A target that is not the same in the end is reported, by table, and not taken for finished."""
    mover.run(data, target.name)
    target.sql(REOPEN)
    target.sql("UPDATE things SET text = text || 'x' WHERE id = (SELECT min(id) FROM things)")

    outcome = mover.run(data, target.name)

    assert outcome.exit_code == 1
    assert [table["name"] for table in mover.report["tables"] if table["source"] != table["target"]] == ["things"]
    with pytest.raises(MoveUnfinished):
        asyncio.run(start_server_on(target, tmp_path))


def test_tables_of_others_are_named(data, mover, sql, tmp_path):
    """A table that is no collection stays behind, and the report says which."""
    sql(data, "CREATE TABLE notebook (line TEXT)")

    mover.run(data, tmp_path / "other")

    assert mover.report["left"] == ["notebook"]


def test_adopted_tables_move(data, target, mover, sql):
    """A table that was adopted moves as the collection it is, its NULLs as the empty values the API shows."""
    sql(data, "CREATE TABLE notes (id text PRIMARY KEY NOT NULL, line text UNIQUE, stars integer, seen datetime)")
    sql(data, "INSERT INTO notes VALUES ('a', 'first', 3, '2024-01-01 10:00:00.000Z'), ('b', NULL, NULL, NULL)")
    asyncio.run(run_adoption("notes", None, Directory(directory=data)))

    mover.run(data, target.name)

    assert mover.report["equal"]
    assert target.sql("SELECT id, line, stars FROM notes ORDER BY id") == [("a", "first", 3), ("b", "", 0)]


def test_a_password_is_not_shown(data, postgres, mover):
    """The report names the database without the password of its URL."""
    url = postgres.database().replace("postgres@", "postgres:s3cret@")

    outcome = mover.run(data, url)

    assert outcome.exit_code == 0
    assert "s3cret" not in outcome.output + str(mover.report)


def test_nobody_writes_to_the_source_meanwhile(data, target, mover, tmp_path, monkeypatch):
    """While a move reads, another program's write waits, and is told to come back later when that takes too long."""
    mover.run(data, target.name)
    refused = []

    async def write_beside(move):
        with pytest.raises(Unavailable) as caught:
            await write_impatiently(target)
        refused.append(caught.value)
        return await check_move(move)

    monkeypatch.setattr(cli, "check_move", write_beside)

    assert mover.run(target.name, tmp_path / "back", "--dry-run").exit_code == 0
    assert len(refused) == 1


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


def quoted(name):
    return f'"{name}"'


def open_backend(target, tmp_path):
    folder = Path(target.name) if target.is_file else tmp_path / "files"
    carry_root(tmp_path / "data", folder)
    return testing.client(folder, "" if target.is_file else target.name)


async def start_server_on(target, tmp_path):
    async with open_backend(target, tmp_path):
        pass


async def start_server_once(folder, *, writes=False):
    async with testing.client(folder) as client:
        if writes:
            await client.superuser()


async def make_move_table(engine):
    async def make(tx):
        text = engine.dialect.column_type("text")
        await tx.run(f'CREATE TABLE "_move" ("name" {text}, "value" {text})')
        await tx.run("""INSERT INTO "_move" VALUES ('table t', '{"after":null,"rows":0,"is_done":false}')""")

    await engine.write(make)


async def write_impatiently(target):
    if target.is_file:
        engine = await SqliteEngine.open(Path(target.name), SqliteOptions(busy_timeout=0.1))
    else:
        engine = await PostgresEngine.open(target.name, PostgresOptions(lock_wait=0.2, write_retries=0))
    try:
        await engine.write(lambda tx: tx.run("UPDATE things SET text = 'x'"))
    finally:
        await engine.close()
