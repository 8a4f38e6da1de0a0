"""Keys that are turned while the server is asked, and killed: nothing fails, nothing is wrong, nothing is left."""

from __future__ import annotations

import os

import pytest
from turning import Plan, run_drill

ROWS = int(os.environ.get("DRILL_ROWS", "900"))
RATE = float(os.environ.get("DRILL_RATE", "40"))
KILLS = int(os.environ.get("DRILL_KILLS", "1"))

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("what", ["value", "index"])
async def test_keys_turn(tmp_path, database, seed, what):
    """Every request is answered, every answer is right, unique is unique, and the old key has sealed nothing."""
    plan = Plan(
        what,
        rows=ROWS,
        rate=RATE,
        kills=KILLS,
        most=ROWS / 3 / KILLS if KILLS else 0,
        limit=120 + ROWS / 100 + KILLS * 30,
    )

    figures = await run_drill(plan, tmp_path, database, seed)

    print(*figures.lines(), sep="\n")  # noqa: T201 - pytest shows it when the test fails, or with -s
    assert figures.seen.failed == figures.usual.failed == []
    assert figures.seen.wrong == figures.usual.wrong == []
    assert figures.seen.kills == KILLS
    assert figures.turned >= ROWS * 0.9
    assert figures.left == 0
