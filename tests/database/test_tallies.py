"""Tallies: counts of one process, and of several that tell each other."""

import asyncio
import time

import pytest

from undercroft.database.tallies import MOST_WINDOWS, SHARE, Tallies
from undercroft.database.wakeup import Silence
from undercroft.database.wakeup_local import LocalWakeup

pytestmark = pytest.mark.anyio


@pytest.fixture
async def several(tmp_path):
    """Three who count together."""
    lines = [await LocalWakeup.open(tmp_path) for _ in range(3)]
    made = [Tallies() for _ in lines]
    for tallies, line in zip(made, lines, strict=True):
        tallies.join(line)
    yield made
    for line in lines:
        await line.close()


async def until(holds):
    """Return once it holds."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def test_so_many_and_no_more():
    """What is one too many is told when there is room again, and not counted."""
    tallies = Tallies()
    assert [tallies.count("a", 2, 60) for _ in range(2)] == [0, 0]

    assert 59 < tallies.count("a", 2, 60) <= 60
    assert tallies.count("a", 3, 60) == 0
    assert tallies.count("b", 2, 60) == 0


async def test_a_window_ends():
    """And with it what was counted."""
    tallies = Tallies()
    assert tallies.count("a", 1, 0.05) == 0
    await until(lambda: tallies.count("a", 1, 0.05) == 0)


async def test_others_are_counted(several):
    """Who has let in enough tells the others, who let in no more."""
    first, second, third = several
    for _ in range(2):
        assert first.count("a", 2, 60) == 0

    await until(lambda: all(each.count("a", 2, 60) for each in (second, third)))
    assert 0 < second.count("a", 2, 60) <= 60
    assert second.count("b", 2, 60) == 0


async def test_all_together(several):
    """A thousand at all of them: what gets through is the limit, and what may be unheard of at most."""
    most, through = 80, 0
    for _ in range(1000):
        for each in several:
            through += each.count("a", most, 60) == 0
        await asyncio.sleep(0.001)

    print(f"{through} of 3000 got through where {most} may, counted by 3")  # noqa: T201
    assert most <= through
    assert all(each.count("a", most, 60) for each in several)


async def test_few_are_not_told(several):
    """Who comes seldom costs the others nothing."""
    first, second, _ = several
    for _ in range(SHARE - 1):
        first.count("a", SHARE * SHARE, 60)
    await asyncio.sleep(0.1)

    assert second._heard == {}


@pytest.mark.parametrize("text", ["", "x", "[1]", '["owner",[["name","many",2]]]', '{"owner":"x"}'])
async def test_nonsense_on_the_line(text):
    """What is no tally is not heard."""
    line, tallies = Silence(), Tallies()
    tallies.join(line)
    line.on_said(text)

    assert tallies.count("a", 1, 60) == 0


async def test_what_is_kept_is_bounded():
    """However many callers there are, and whatever others tell."""
    line, tallies = Silence(), Tallies()
    tallies.join(line)
    for number in range(MOST_WINDOWS + 10):
        tallies.count(number, 100, 60)
        line.on_said(f'["other",[["{number}",1,60]]]')

    assert len(tallies._own) == MOST_WINDOWS
    assert len(tallies._heard) <= MOST_WINDOWS
