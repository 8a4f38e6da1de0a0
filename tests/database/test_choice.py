"""Two statements for one question: the planner's own, and one that follows the order."""

import pytest

from undercroft.database.engine import Choice

pytestmark = pytest.mark.anyio

# The second statement of each choice answers 'walked' here, to show which one ran.
SORTED = Choice("SELECT n FROM items WHERE owner = ? ORDER BY +n LIMIT 1", "SELECT 'walked' WHERE ? IS NOT NULL")
UNSORTED = Choice("SELECT max(n) FROM items WHERE owner = ?", "SELECT 'walked' WHERE ? IS NOT NULL")


@pytest.fixture
async def items(engine):
    """20,000 items of `many` and one of `few`, indexed by owner."""

    async def fill(tx):
        await tx.run("CREATE TABLE items (n INTEGER, owner TEXT)")
        await tx.run(
            """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
            INSERT INTO items SELECT i, 'many' FROM n"""
        )
        await tx.run("INSERT INTO items VALUES (0, 'few')")
        await tx.run("CREATE INDEX by_owner ON items (owner)")

    await engine.write(fill)
    return engine


async def test_few_rows_are_collected(items):
    """Where few rows match, the planner's choice has the answer at once."""
    assert await items.read(SORTED, ("few",)) == [(0,)]


async def test_many_rows_are_walked_to(items):
    """Where many rows match and would be sorted, the order is followed instead."""
    assert await items.read(SORTED, ("many",)) == [("walked",)]
    assert await items.read(SORTED, ("few",)) == [(0,)]


async def test_what_is_not_sorted_is_left_to_the_planner(items):
    """A statement that sorts nothing gains nothing from the other one."""
    assert await items.read(UNSORTED, ("many",)) == [(20000,)]


async def test_a_walk_that_leads_nowhere_is_given_up(items):
    """When the order is followed in vain, the planner's choice is run to its end."""
    vain = Choice(
        "SELECT n FROM items WHERE owner = ? ORDER BY +n LIMIT 1",
        "SELECT a.n FROM items AS a, items AS b WHERE a.owner = ? AND a.n + b.n < 0",
    )

    for _ in range(3):
        assert await items.read(vain, ("many",)) == [(1,)]
