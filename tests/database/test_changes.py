"""The change log: one entry a write, in the order of commits."""

import pytest

from undercroft.database.changes import (
    KEPT,
    Change,
    append_change,
    changes_since,
    first_change_id,
    forget_old_changes,
    has_old_changes,
    last_change_id,
    prune_changes,
)
from undercroft.database.formats import SYSTEM_MIGRATIONS
from undercroft.database.migrations import migrate

pytestmark = pytest.mark.anyio


@pytest.fixture
async def log(engine):
    await migrate(engine, SYSTEM_MIGRATIONS)
    return engine


def append(engine, record, kind="record"):
    return engine.write(lambda tx: append_change(tx, engine.dialect, Change(kind, "posts", record, "create")))


async def test_an_empty_log_is_at_zero(log):
    """Before the first write there is no position."""
    assert await last_change_id(log.read) == 0
    assert await first_change_id(log.read) == 0
    assert await changes_since(log, 0) == []


async def test_entries_come_in_order(log):
    """Each has its place, its moment and what changed."""
    positions = [await append(log, name) for name in "abc"]

    entries = await changes_since(log, positions[0])

    assert [entry.id for entry in entries] == positions[1:]
    assert [entry.change for entry in entries] == [Change("record", "posts", name, "create") for name in "bc"]
    assert all(entry.at.endswith("Z") for entry in entries)
    assert await last_change_id(log.read) == positions[-1]


async def test_a_limit_takes_the_oldest(log):
    """Who follows the log in portions misses nothing."""
    for name in "abc":
        await append(log, name)

    assert [entry.change.record for entry in await changes_since(log, 0, limit=2)] == ["a", "b"]


async def test_an_undone_write_has_no_entry(log):
    """The entry is part of the write."""

    async def fail(tx):
        await append_change(tx, log.dialect, Change("record", "posts", "a", "create"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await log.write(fail)

    assert await changes_since(log, 0) == []


async def test_positions_are_never_used_again(log):
    """Also when the log was emptied in between."""
    last = await append(log, "a")
    await log.write(lambda tx: prune_changes(tx, log.dialect, last))

    assert await append(log, "b") > last


async def test_old_entries_are_forgotten(log):
    """What is beyond the newest 100,000 goes, however much it is, a part at a time."""

    async def fill(tx):
        await tx.run(
            """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
            INSERT INTO _changes (at, kind, collection, record, action) SELECT '', 'record', 'posts', i, 'create' FROM n""",
            (KEPT + 30_000,),
        )

    await log.write(fill)
    parts = 0
    while await has_old_changes(log):
        await log.write(lambda tx: forget_old_changes(tx, log.dialect))
        parts += 1

    assert parts > 1
    assert await last_change_id(log.read) == KEPT + 30_000
    assert await first_change_id(log.read) == 30_001
