"""Reads: on the event loop while they are short, on a thread when they are not."""

import asyncio
import time

import pytest
from stopwatch import Stopwatch

from undercroft.database import sqlite_reader
from undercroft.database.engine import QueryTimeout, SqlError
from undercroft.errors import BadRequest, Unavailable

pytestmark = pytest.mark.anyio


async def longest_pause(work):
    """How long the event loop stood still while something was awaited."""
    pauses = []
    task = asyncio.ensure_future(work)
    while not task.done():
        watch = Stopwatch()
        await asyncio.sleep(0.001)
        pauses.append(watch.seconds())
    await task
    return max(pauses)


async def test_rows_are_tuples(engine):
    """A read gives all rows, as tuples of plain values."""
    assert await engine.read("SELECT 1, 1.5, 'a', NULL, x'00ff' UNION ALL SELECT ?, 2, 'b', 'c', 'd'", (7,)) == [
        (1, 1.5, "a", None, b"\x00\xff"),
        (7, 2, "b", "c", "d"),
    ]


@pytest.mark.parametrize("value", ["", "a\0b", "\ufeff", "𝄞", "e\u0301", 2**63 - 1, -(2**63), 0.1, True, b"\0"])
async def test_values_come_back_as_they_went(engine, value):
    """What is bound is what is read."""
    assert await engine.read("SELECT ?", (value,)) == [(value,)]


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb", 2**63, -(2**70)])
async def test_values_no_database_holds(engine, value):
    """Half a character or too large a number is the caller's mistake, not a crash."""
    with pytest.raises(BadRequest) as caught:
        await engine.read("SELECT ?", (value,))

    assert caught.value.code == "bad_text"
    assert await engine.read("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "sql", ["SELECT nope FROM notes", "SELEC 1", "SELECT * FROM nope", 'SELECT "nope"', "SELECT json('{')"]
)
async def test_refused_statements(engine, sql):
    """What SQLite refuses is one kind of problem, and the next read works."""
    with pytest.raises(SqlError):
        await engine.read(sql)

    assert await engine.read("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "sql",
    ["DELETE FROM notes", "CREATE TABLE t (a)", "PRAGMA user_version = 3", "UPDATE notes SET text = 'x' RETURNING id"],
)
async def test_a_read_cannot_write(engine, add, sql):
    """The connections that read refuse to write."""
    await engine.write(add("a"))

    with pytest.raises(SqlError):
        await engine.read(sql)

    assert await engine.read("SELECT text FROM notes") == [("",)]
    assert await engine.read("PRAGMA user_version") == [(0,)]


async def test_a_read_sees_the_writes_before_it(engine, add):
    """Once a write is answered every read has it."""
    for number in range(20):
        await engine.write(add(str(number)))
        assert await engine.read("SELECT count(*) FROM notes") == [(number + 1,)]


async def test_a_new_schema_is_seen(engine):
    """A statement read before a column changed is read anew."""
    assert await engine.read("SELECT * FROM notes") == []

    async def widen(tx):
        await tx.run("ALTER TABLE notes ADD COLUMN more TEXT DEFAULT 'm' NOT NULL")
        await tx.run("INSERT INTO notes (id) VALUES ('a')")

    await engine.write(widen)

    assert await engine.read("SELECT * FROM notes") == [("a", "", "m")]


async def test_a_slow_read_leaves_the_loop_free(engine, count_slowly):
    """While a statement takes seconds the event loop goes on; what else stops it does not do so thrice."""
    pauses = [await longest_pause(engine.read(f"{count_slowly} -- {n}", (2_000_000,))) for n in range(3)]

    assert min(pauses) < 0.1


async def test_a_slow_read_gives_its_rows(engine, count_slowly):
    """A statement that moved to a thread answers as any other."""
    assert await engine.read(count_slowly, (500_000,)) == [(500_000,)]


async def test_a_slow_statement_is_known_for_a_moment(engine, count_slowly):
    """The next one with the same text goes to a thread at once, and later is tried again."""
    assert engine._reader.try_read(count_slowly, (500_000,)) is None

    assert engine._reader.try_read(count_slowly, (1,)) is None
    await asyncio.sleep(1.1)
    assert engine._reader.try_read(count_slowly, (1,)) == [(1,)]


async def test_short_reads_pass_slow_ones(opened, count_slowly):
    """However many slow reads wait, a short one is answered at once."""
    async with opened(quick_threads=1, patient_threads=1) as engine:
        slow = [asyncio.ensure_future(engine.read(count_slowly, (10**12,))) for _ in range(5)]
        await asyncio.sleep(0)

        async with asyncio.timeout(10):
            assert await engine.read("SELECT 1") == [(1,)]

        assert not any(task.done() for task in slow)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


async def test_reads_of_milliseconds_pass_reads_of_seconds(engine, count_slowly):
    """What is too long for the loop, but not long, does not wait behind what takes for ever."""
    endless = [asyncio.ensure_future(engine.read(count_slowly, (10**12,))) for _ in range(4)]
    await asyncio.sleep(0.5)

    async with asyncio.timeout(2):
        assert await engine._threads.read(f"{count_slowly} -- again", (20_000,)) == [(20_000,)]

    assert not any(task.done() for task in endless)
    for task in endless:
        task.cancel()


async def test_a_busy_machine_makes_no_statement_slow(engine, add, monkeypatch):
    """Time that passes while the thread waits for the processor is not held against a short statement."""
    await engine.write(add("a"))
    clock = iter(range(0, 10**6, 10))
    monkeypatch.setattr(sqlite_reader, "perf_counter", lambda: float(next(clock)))
    sql = "SELECT id FROM notes WHERE id = ?"
    answers = [engine._reader.try_read(sql, ("a",)) for _ in range(2)]

    monkeypatch.undo()
    answers += [engine._reader.try_read(sql, ("a",)) for _ in range(3)]

    assert answers == [[("a",)]] * 5


async def test_a_read_has_a_deadline(opened, count_slowly):
    """A statement past its deadline is stopped, and its thread serves the next."""
    async with opened(read_deadline=0.2, quick_threads=1, patient_threads=1) as engine:
        watch = Stopwatch()
        with pytest.raises(QueryTimeout):
            await engine.read(count_slowly, (10**12,))

        assert watch.seconds() < 2
        assert await engine._threads.read(f"{count_slowly} -- again", (10,)) == [(10,)]


async def test_the_deadline_counts_waiting(opened, count_slowly):
    """A read that waits for a thread longer than its deadline is answered all the same."""
    async with opened(read_deadline=0.3, quick_threads=1, patient_threads=1) as engine:
        reads = [engine.read(count_slowly, (10**12,)) for _ in range(4)]
        watch = Stopwatch()
        answers = await asyncio.gather(*reads, return_exceptions=True)

        assert [type(answer) for answer in answers] == [QueryTimeout] * 4
        assert watch.seconds() < 2


async def test_a_caller_that_goes_away_stops_its_read(opened, count_slowly):
    """Nobody waits for the rows, so the thread is free for the next."""
    async with opened(quick_threads=1, patient_threads=1) as engine:
        task = asyncio.ensure_future(engine.read(count_slowly, (10**12,)))
        await asyncio.sleep(0.1)
        task.cancel()

        async with asyncio.timeout(5):
            assert await engine.read(count_slowly, (20_000,)) == [(20_000,)]


async def test_a_stopped_read_holds_no_snapshot(engine, add, count_slowly):
    """After an interrupted read the write-ahead log can be emptied."""
    await engine.read(f"SELECT count(*) FROM notes, ({count_slowly})", (500_000,))
    await engine.write(add("a"))

    log, done = engine._writer._statements.connection.wal_checkpoint()

    assert log == done


async def test_a_closed_engine_reads_nothing(engine):
    """After the end a read is refused in a sentence."""
    await engine.close()

    with pytest.raises(Unavailable, match="closed"):
        await engine.read("SELECT 1")


async def test_a_point_read_is_cheap(engine, add):
    """A read by id costs a few microseconds, with nothing that grows."""
    await engine.write(add("a"))
    sql = "SELECT id, text FROM notes WHERE id = ?"
    started = time.process_time()
    for _ in range(5000):
        await engine.read(sql, ("a",))

    # Measured at 5 µs on a quiet machine; the bound leaves room for a busy one.
    assert (time.process_time() - started) / 5000 < 60e-6
