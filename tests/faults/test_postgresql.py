"""A PostgreSQL server that restarts, cuts connections, is busy: short waits, clear answers, nothing lost."""

import asyncio

import pytest
from postgres import in_thread
from stopwatch import Stopwatch

from undercroft.database.engine import QueryTimeout, UniqueViolation
from undercroft.database.faults import OutcomeUnknown, PoolExhausted
from undercroft.database.postgresql import PostgresEngine
from undercroft.database.postgresql_options import PostgresOptions
from undercroft.database.refusals import DatabaseRefused
from undercroft.errors import StorageFull, Unavailable

pytestmark = pytest.mark.anyio

COUNTER = 'CREATE TABLE IF NOT EXISTS "counter" ("id" text PRIMARY KEY, "n" bigint NOT NULL)'
KILL_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = '{}'"


@pytest.fixture
def url(postgres, postgres_template):
    return postgres.database(postgres_template)


@pytest.fixture
async def engine(url):
    engine = await PostgresEngine.open(url, PostgresOptions(pool_size=4))
    await engine.write(lambda tx: tx.run(COUNTER))
    await engine.write(lambda tx: tx.run('INSERT INTO "counter" VALUES ($1, $2)', ("a", 0)))
    yield engine
    await engine.close()


async def increment(tx):
    """Read, think, write: what loses updates where writes do not look at each other."""
    rows = await tx.run('SELECT "n" FROM "counter" WHERE "id" = $1', ("a",))
    await tx.run('UPDATE "counter" SET "n" = $1 WHERE "id" = $2', (rows[0][0] + 1, "a"))


async def test_concurrent_writes_do_not_lose_each_other(engine, url):
    """Two nodes with twenty writers each that read, add one and write count exactly, and none is refused."""
    other = await PostgresEngine.open(url, PostgresOptions(pool_size=4))

    async def add(node, times):
        for _ in range(times):
            await node.write(increment)

    await asyncio.gather(*(add(node, 5) for node in (engine, other) for _ in range(20)))
    await other.close()

    assert await engine.read('SELECT "n" FROM "counter"') == [(200,)]


async def test_a_killed_connection_is_replaced(engine, postgres, url):
    """Reads and writes behind a cut connection go on with another, and nobody hears of it."""
    await asyncio.gather(*(engine.read("SELECT pg_sleep(0.02)") for _ in range(4)))
    kill = KILL_OTHERS.format(url.rpartition("/")[2].partition("?")[0])
    assert len(postgres.run(kill)) >= 4

    assert await engine.read('SELECT "n" FROM "counter"') == [(0,)]
    assert postgres.run(kill)
    await engine.write(increment)
    assert await engine.read('SELECT "n" FROM "counter"') == [(1,)]


async def test_a_connection_lost_at_the_commit_leaves_the_outcome_unknown(engine, postgres):
    """Nobody can say whether the commit happened, so the answer says that."""

    async def operation(tx):
        await increment(tx)
        await tx.run("SELECT set_config('application_name', 'doomed', true)")
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'doomed'"
        await asyncio.to_thread(postgres.run, cut)

    with pytest.raises(OutcomeUnknown):
        await engine.write(operation)


async def test_the_wait_for_a_connection_is_bounded(url):
    """When all are taken, who comes next is told to try again, soon."""
    engine = await PostgresEngine.open(url, PostgresOptions(pool_size=1, pool_wait=0.1))
    async with engine.transaction():
        watch = Stopwatch()
        with pytest.raises(PoolExhausted) as refused:
            await engine.read("SELECT 1")
    assert watch.seconds() < 1
    assert refused.value.retry_after >= 1
    assert await engine.read("SELECT 1") == [(1,)]
    await engine.close()


async def test_the_wait_for_other_writes_is_bounded(url):
    """A write that waits for one that holds everything is told to try again."""
    engine = await PostgresEngine.open(url, PostgresOptions(lock_wait=0.1))
    async with engine.transaction():
        with pytest.raises(Unavailable):
            await engine.write(lambda tx: tx.run("SELECT 1"))
    await engine.close()


async def test_a_slow_read_is_stopped(url):
    """At its deadline, by the server."""
    engine = await PostgresEngine.open(url, PostgresOptions(read_deadline=0.5))
    with pytest.raises(QueryTimeout):
        await engine.read("SELECT pg_sleep(5)")
    assert await engine.read("SELECT 1") == [(1,)]
    await engine.close()


async def test_an_interactive_transaction_ends_with_its_time(engine):
    """Its next statement is refused, and all is undone."""

    async def dawdle():
        async with engine.transaction(seconds=0.1) as tx:
            await increment(tx)
            await asyncio.sleep(0.2)
            await increment(tx)

    with pytest.raises(QueryTimeout):
        await dawdle()

    assert await engine.read('SELECT "n" FROM "counter"') == [(0,)]


async def test_a_cancelled_write_is_undone(engine):
    """Whoever gives up waiting leaves nothing behind, and no connection that is broken."""

    async def slow(tx):
        await increment(tx)
        await tx.run("SELECT pg_sleep(5)")

    task = asyncio.create_task(engine.write(slow))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await engine.write(increment)
    assert await engine.read('SELECT "n" FROM "counter"') == [(1,)]


@pytest.mark.parametrize(
    ("index", "columns"),
    [
        ('("a")', ("a",)),
        ('("b", "a")', ("b", "a")),
        ('(lower("a" COLLATE "C"), "lower")', ("a", "lower")),
        ("(coalesce(\"a\", 'b'::text))", ("a",)),
    ],
)
async def test_unique_violations_name_their_columns(engine, index, columns):
    """Those of the index that refused, expressions included."""
    await engine.write(lambda tx: tx.run('CREATE TABLE "t" ("a" text, "b" text, "lower" text)'))
    await engine.write(lambda tx: tx.run(f'CREATE UNIQUE INDEX "i" ON "t" {index}'))
    sql = "INSERT INTO \"t\" VALUES ('x', 'y', 'z')"
    await engine.write(lambda tx: tx.run(sql))

    with pytest.raises(UniqueViolation) as refused:
        await engine.write(lambda tx: tx.run(sql))

    assert refused.value.table == "t"
    assert refused.value.columns == columns


async def test_a_full_disk_is_named(engine):
    """What the server calls a full disk is one here."""
    with pytest.raises(StorageFull):
        await engine.write(lambda tx: tx.run("DO $$ BEGIN RAISE 'no space left' USING ERRCODE = '53100'; END $$"))


async def test_columns_of_other_types_are_met_by_new_statements(engine, url):
    """Another node changes a column's type, and statements prepared before go on."""
    other = await PostgresEngine.open(url)
    insert = 'INSERT INTO "t" ("v") VALUES ($1)'
    await engine.write(lambda tx: tx.run('CREATE TABLE "t" ("v" text)'))
    await engine.write(lambda tx: tx.run(insert, ("x",)))
    await engine.read('SELECT "v" FROM "t"')
    await other.write(lambda tx: tx.run('DROP TABLE "t"'))
    await other.write(lambda tx: tx.run('CREATE TABLE "t" ("v" double precision)'))
    await other.close()

    await engine.write(lambda tx: tx.run(insert, (5,)))
    assert await engine.read('SELECT "v" FROM "t"') == [(5,)]


async def test_a_server_that_is_not_there_is_named(tmp_path):
    """At the start, in one sentence."""
    with pytest.raises(DatabaseRefused, match=r"127\.0\.0\.1:1/none.*check its URL") as refused:
        await PostgresEngine.open("postgresql://postgres:secret@127.0.0.1:1/none")

    assert "secret" not in refused.value.message()


async def test_a_database_that_is_not_there_is_named(postgres):
    """In the server's words."""
    with pytest.raises(DatabaseRefused, match="does not exist"):
        await PostgresEngine.open(postgres.url("nowhere"))


def test_results_of_threads_are_errors_too():
    """What fails beside the test fails the test."""

    async def fail():
        raise ValueError

    with pytest.raises(ValueError):
        in_thread(fail())
