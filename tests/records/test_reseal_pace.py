"""How fast values come along: writers first."""

from __future__ import annotations

import pytest

from undercroft.database.waits import Waits
from undercroft.records.reseal_pace import SLOW, Pace


def test_nobody_waits():
    """Without anybody who writes slowly there is no rest."""
    pace = Pace()

    assert [pace.rest_after(250, 0.01, p99, 0) for p99 in (None, 0.0, SLOW)] == [0.0, 0.0, 0.0]


def test_writers_come_first():
    """While writes take long the rests grow, up to a fifth of a second, and go when writes are quick again."""
    pace = Pace()
    slow = [pace.rest_after(250, 0.01, SLOW * 2, 0) for _ in range(30)]
    quick = [pace.rest_after(250, 0.01, SLOW / 2, 0) for _ in range(30)]

    assert slow == sorted(slow)
    assert slow[0] > 0
    assert slow[-1] == pytest.approx(0.2)
    assert quick == sorted(quick, reverse=True)
    assert quick[-1] == 0.0


def test_a_slow_disk():
    """Where writes take long anyhow, resting as if that were our fault would help nobody."""
    pace = Pace(usual=0.2)

    assert pace.rest_after(250, 0.01, 0.3, 0) == 0.0
    assert pace.rest_after(250, 0.01, 0.5, 0) > 0.0


def test_a_limit():
    """No more rows a second than is said."""
    pace = Pace()

    assert pace.rest_after(100, 0.1, None, 200) == pytest.approx(0.4)
    assert pace.rest_after(100, 0.6, None, 200) == 0.0


def test_a_shared_lock():
    """Where other processes wait for the same lock, they have it for as long."""
    assert Pace(share=1.0).rest_after(250, 0.03, None, 0) == pytest.approx(0.03)


def test_the_rate():
    """The rate is that of the last seconds, rests included."""
    pace = Pace()
    for _ in range(100):
        pace.rest_after(100, 0.1, None, 500)
    before = pace.rate
    for _ in range(100):
        pace.rest_after(100, 0.05, None, 1000)

    assert before == pytest.approx(500, rel=0.01)
    assert pace.rate == pytest.approx(1000, rel=0.01)


def test_waits():
    """The slowest of a hundred, of enough to say so."""
    waits = Waits()
    for number in range(9):
        waits.note(number)
    few = waits.p99()
    for number in range(9, 200):
        waits.note(number)

    assert few is None
    assert waits.p99() == 198
