"""When crons are due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from undercroft.jobs.schedule import MACROS, due_tick, find_fault, is_from_a_wrong_clock, next_tick

DAY = 86_400.0


def at(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("*/5 * * * *", at(2026, 3, 29, 1, 5)),
        ("30 2 * * *", at(2026, 3, 29, 2, 30)),
        ("0 0 1 * *", at(2026, 4, 1)),
        ("0 12 29 2 *", at(2028, 2, 29, 12)),
        ("@hourly", at(2026, 3, 29, 2)),
        ("@daily", at(2026, 3, 30)),
        ("@midnight", at(2026, 3, 30)),
        ("@weekly", at(2026, 4, 5)),
        ("@monthly", at(2026, 4, 1)),
        ("@yearly", at(2027, 1, 1)),
        ("@annually", at(2027, 1, 1)),
    ],
)
def test_the_next_moment(expression, wanted):
    """Moments are of UTC, so no summer time skips or repeats one."""
    assert next_tick(expression, at(2026, 3, 29, 1, 0)) == wanted


def test_every_macro_is_an_expression():
    """Each macro stands for five fields."""
    assert [find_fault(macro) for macro in MACROS] == [""] * len(MACROS)


@pytest.mark.parametrize("text", ["", "* * * *", "* * * * * *", "61 * * * *", "a b c d e", "@never", "0 0 30 2 *"])
def test_what_is_no_expression(text):
    """What is wrong is said."""
    assert find_fault(text)


@pytest.mark.parametrize(
    ("last", "now", "wanted"),
    [
        (at(2026, 1, 1, 0, 0), at(2026, 1, 1, 0, 4), None),
        (at(2026, 1, 1, 0, 0), at(2026, 1, 1, 0, 5), at(2026, 1, 1, 0, 5)),
        (at(2026, 1, 1, 0, 5), at(2026, 1, 1, 0, 5), None),
        (at(2026, 1, 1, 0, 0), at(2026, 1, 1, 1, 3), at(2026, 1, 1, 1, 0)),
        (at(2026, 1, 1, 0, 0), at(2027, 2, 5, 0, 1), at(2027, 2, 5, 0, 0)),
        (at(2026, 1, 1, 1, 0), at(2026, 1, 1, 0, 0), None),
    ],
    ids=["not yet", "now", "done", "some missed", "400 days missed", "an hour back"],
)
def test_what_is_due(last, now, wanted):
    """However many moments were missed, one is due: the newest; and none that was before."""
    assert due_tick("*/5 * * * *", last, now) == wanted


def test_a_wrong_clock_is_noticed():
    """An hour back is waited for; 400 days are not."""
    assert not is_from_a_wrong_clock(at(2026, 1, 1, 1, 0), at(2026, 1, 1, 0, 0))
    assert is_from_a_wrong_clock(at(2026, 1, 1) + 400 * DAY, at(2026, 1, 1))
