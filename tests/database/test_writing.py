"""Writes: one thread, many operations a commit, each on its own."""

import asyncio
import time

import apsw
import pytest

from undercroft.database.engine import QueryTimeout, SqlError, UniqueViolation, WriteQueueFull
from undercroft.database.sqlite import SqliteEngine
from undercroft.database.sqlite_options import SqliteOptions
from undercroft.database.sqlite_statements import SuspendedOperationError
from undercroft.errors import BadRequest, StorageFull, Unavailable

pytestmark = pytest.mark.anyio


class OwnError(Exception):
    pass


def count_commits(engine):
    commits = []
    engine._writer._statements.connection.set_commit_hook(lambda: bool(commits.append(1)))
    return commits


async def names(engine):
    return [row[0] for row in await engine.read("SELECT id FROM notes ORDER BY id")]


async def test_a_write_returns_its_result(engine, add):
    """What the operation returns is the answer, and the row is there."""
    assert await engine.write(add("a")) == "a"
    assert await names(engine) == ["a"]


async def test_many_writes_share_a_commit(engine, add):
    """What waits together is made durable together."""
    commits = count_commits(engine)

    await asyncio.gather(*(engine.write(add(f"{number:03}")) for number in range(100)))

    assert len(await names(engine)) == 100
    assert len(commits) < 20


async def test_a_failed_operation_is_undone_alone(engine, add):
    """What one operation raises undoes it and is its own caller's answer."""

    async def fail(tx):
        await add("lost")(tx)
        raise OwnError

    answers = await asyncio.gather(*map(engine.write, [add("a"), fail, add("b")]), return_exceptions=True)

    assert [type(answer) for answer in answers] == [str, OwnError, str]
    assert await names(engine) == ["a", "b"]


async def test_a_refused_row_is_a_problem(engine, add):
    """The key of a row that is there already names its column."""
    await engine.write(add("a"))

    with pytest.raises(UniqueViolation) as caught:
        await engine.write(add("a"))

    assert (caught.value.table, caught.value.columns) == ("notes", ("id",))


async def test_an_operation_may_go_on_after_a_refusal(engine, add):
    """A refused statement undoes itself, not what came before."""

    async def stubborn(tx):
        await add("a")(tx)
        try:
            await add("a")(tx)
        except UniqueViolation:
            await add("b")(tx)

    await engine.write(stubborn)

    assert await names(engine) == ["a", "b"]


@pytest.mark.parametrize("value", ["\ud800", 2**70])
async def test_values_no_database_holds(engine, add, value):
    """They are the caller's mistake, and the writer lives."""
    with pytest.raises(BadRequest):
        await engine.write(add("a", value))

    assert await engine.write(add("b", "x\0y")) == "b"
    assert await engine.read("SELECT text FROM notes") == [("x\0y",)]


async def test_a_bad_statement_is_a_problem(engine):
    """Names that do not exist are no crash."""

    async def wrong(tx):
        await tx.run("INSERT INTO nope VALUES (1)")

    with pytest.raises(SqlError):
        await engine.write(wrong)


async def test_an_operation_sees_the_operations_before_it(engine, add):
    """Operations of one batch follow each other."""

    async def count(tx):
        return (await tx.run("SELECT count(*) FROM notes"))[0][0]

    answers = await asyncio.gather(*map(engine.write, [count, add("a"), count, add("b"), count]))

    assert answers == [0, "a", 1, "b", 2]


async def test_an_operation_that_suspends_is_told_so(engine, add):
    """Awaiting anything but the transaction would hold every other write."""

    async def sleeper(tx):
        await add("a")(tx)
        await asyncio.sleep(0)

    with pytest.raises(SuspendedOperationError, match="transaction"):
        await engine.write(sleeper)

    assert await names(engine) == []


async def test_a_transaction_ends_with_its_operation(engine):
    """One that is kept runs nothing later, in somebody else's savepoint."""
    kept = []

    async def keep(tx):
        kept.append(tx)

    await engine.write(keep)

    with pytest.raises(RuntimeError, match="ended"):
        await kept[0].run("SELECT 1")


async def test_after_commit_runs_on_the_loop_before_the_answer(engine, add):
    """What was to happen has happened when the caller goes on, and the row is durable by then."""
    seen = []

    async def operation(tx):
        await add("a")(tx)
        tx.after_commit(
            lambda: seen.append((asyncio.get_running_loop(), engine._reader.try_read("SELECT id FROM notes", ())))
        )

    await engine.write(operation)

    assert seen == [(asyncio.get_running_loop(), [("a",)])]


async def test_after_commit_never_runs_for_what_is_undone(engine):
    """An undone operation has no after."""
    seen = []

    async def fail(tx):
        tx.after_commit(lambda: seen.append(1))
        raise OwnError

    with pytest.raises(OwnError):
        await engine.write(fail)

    await asyncio.sleep(0.01)
    assert seen == []


async def test_a_failing_action_stops_no_other(engine):
    """The commit stands, everyone is answered, and the loop hears of the failure."""
    seen, heard = [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context["exception"]))

    async def operation(tx):
        tx.after_commit(lambda: 1 / 0)
        tx.after_commit(lambda: seen.append(1))
        return "done"

    assert await engine.write(operation) == "done"
    assert seen == [1]
    assert isinstance(heard[0], ZeroDivisionError)


async def test_the_queue_is_bounded(opened, add):
    """More writes than the queue holds are refused at once, and those inside are done."""
    async with opened(write_queue=10) as engine:
        answers = await asyncio.gather(*(engine.write(add(f"{n:02}")) for n in range(30)), return_exceptions=True)

        assert [type(answer) for answer in answers] == [str] * 10 + [WriteQueueFull] * 20
        assert len(await names(engine)) == 10
        assert await engine.write(add("later")) == "later"


async def test_a_batch_ends_so_that_the_first_is_answered(opened, add):
    """A long queue is committed in several parts."""
    async with opened(batch_count=10) as engine:
        commits = count_commits(engine)
        await asyncio.gather(*(engine.write(add(f"{number:03}")) for number in range(100)))

        assert len(commits) >= 10


async def test_a_batch_ends_when_its_time_is_over(opened, add):
    """Slow operations do not gather more."""

    async def slow(tx):
        await tx.run("SELECT 1")
        time.sleep(0.02)  # noqa: ASYNC251 - an operation that computes for long

    async with opened(batch_time=0.01) as engine:
        commits = count_commits(engine)
        await asyncio.gather(*(engine.write(slow) for _ in range(4)))

        assert len(commits) == 4


async def test_a_cancelled_caller_breaks_nothing(engine, add):
    """Others are answered; the write of the caller that went away happened whole or not at all."""
    tasks = [asyncio.ensure_future(engine.write(add(f"{number:02}"))) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()

    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert answers[1::2] == [f"{number:02}" for number in range(1, 20, 2)]
    assert await engine.write(add("later")) == "later"
    assert set(answers[1::2]) <= set(await names(engine))


async def test_a_write_cancelled_before_its_turn_never_happens(engine, add):
    """What waits and is no longer wanted is left out."""
    async with engine.transaction():
        task = asyncio.ensure_future(engine.write(add("a")))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0)

    await engine.write(add("b"))
    assert await names(engine) == ["b"]


async def test_a_write_has_a_deadline(opened, add, count_slowly):
    """A writing statement that runs too long is stopped, undone and named."""

    async def slow(tx):
        await tx.run(f"INSERT INTO notes SELECT 'slow', * FROM ({count_slowly})", (10**12,))

    async with opened(write_deadline=0.2) as engine:
        with pytest.raises(QueryTimeout):
            await engine.write(slow)

        assert await engine.write(add("a")) == "a"
        assert await names(engine) == ["a"]


async def test_who_shares_a_commit_with_a_stopped_write_is_told(opened, add, count_slowly):
    """SQLite undoes the whole transaction then: nobody beside it is answered as written."""

    async def slow(tx):
        await tx.run(f"INSERT INTO notes SELECT 'slow', * FROM ({count_slowly})", (10**12,))

    async with opened(write_deadline=0.2, batch_time=10) as engine:
        async with engine.transaction():
            tasks = [asyncio.ensure_future(engine.write(one)) for one in (add("a"), slow, add("b"))]
            await asyncio.sleep(0.01)
        answers = await asyncio.gather(*tasks, return_exceptions=True)

        assert [type(answer) for answer in answers] == [Unavailable, QueryTimeout, str]
        assert await names(engine) == ["b"]


async def test_an_operation_cannot_hide_that_it_was_undone(opened, add, count_slowly):
    """One that swallows the timeout is not answered as written."""

    async def stubborn(tx):
        await add("a")(tx)
        try:
            await tx.run(f"INSERT INTO notes SELECT 'slow', * FROM ({count_slowly})", (10**12,))
        except QueryTimeout:
            return "fine"

    async with opened(write_deadline=0.2) as engine:
        with pytest.raises(Unavailable):
            await engine.write(stubborn)

        assert await names(engine) == []


async def test_a_full_disk_is_named(engine, add):
    """No space is its own problem; nothing of it is written, and the writer lives."""
    connection = engine._writer._statements.connection
    connection.pragma("max_page_count", connection.pragma("page_count") + 2)

    with pytest.raises(StorageFull):
        await engine.write(add("big", "x" * 100_000))

    assert await names(engine) == []
    connection.pragma("max_page_count", 10**6)
    assert await engine.write(add("big", "x" * 100_000)) == "big"


async def test_a_closed_engine_takes_no_writes(engine, add):
    """After the end a write is refused in a sentence."""
    await engine.close()

    with pytest.raises(Unavailable, match="closed"):
        await engine.write(add("a"))


async def test_closing_finishes_what_waits(path, opened, add):
    """Writes that were taken are done before the engine ends, and the log is emptied."""
    async with opened() as engine:
        tasks = [asyncio.ensure_future(engine.write(add(f"{number:02}"))) for number in range(50)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)

    assert not path.with_name("data.db-wal").exists()
    async with opened() as engine:
        assert len(await names(engine)) == 50


async def test_two_engines_share_a_file(path, engine, add):
    """Writers of several processes wait for each other."""
    other = await SqliteEngine.open(path)
    writes = [
        one.write(add(f"{number:02}{where}")) for number in range(40) for where, one in enumerate((engine, other))
    ]

    await asyncio.gather(*writes)

    assert len(await names(engine)) == len(await names(other)) == 80
    await other.close()


async def test_a_writer_that_is_never_let_in_says_so(path, opened, add):
    """Another process that holds the file for too long is 'try again', for all who wait."""
    async with opened(busy_timeout=0.1) as engine:
        holder = apsw.Connection(str(path))
        holder.execute("BEGIN IMMEDIATE")
        started = time.perf_counter()
        answers = await asyncio.gather(*(engine.write(add(str(n))) for n in range(20)), return_exceptions=True)

        assert {type(answer) for answer in answers} == {Unavailable}
        assert time.perf_counter() - started < 2
        holder.execute("ROLLBACK")
        holder.close()
        assert await engine.write(add("a")) == "a"


async def test_the_log_does_not_grow_without_end(path, opened, add):
    """Under constant writing the write-ahead log is folded back into the file."""
    async with opened(wal_pages=50, wal_bytes=0) as engine:
        for number in range(300):
            await engine.write(add(str(number), "x" * 3000))

        assert path.with_name("data.db-wal").stat().st_size < 3_000_000


async def test_settings_of_the_connections(path):
    """Commits are durable, keys are kept, and the schema is not trusted."""
    engine = await SqliteEngine.open(path, SqliteOptions())
    connection = engine._writer._statements.connection

    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2
    assert connection.pragma("foreign_keys") == 1
    assert connection.pragma("trusted_schema") == 0
    assert connection.cache_stats()["size"] >= 500
    await engine.close()
