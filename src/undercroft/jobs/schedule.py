"""When a cron is due: pure, in UTC, to the minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from cronsim import CronSim, CronSimError

MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS: Final = 5
TOLERATED: Final = 7200.0
"""Seconds by which the clock may go back before what is in the future counts as told by a wrong clock."""


def find_fault(expression: str) -> str:
    """Why a text is no cron expression, in a sentence; empty when it is one."""
    if expression.startswith("@") and expression not in MACROS:
        return f"There is no macro {expression!r}; there are {', '.join(MACROS)}."
    spelled = MACROS.get(expression, expression)
    if len(spelled.split()) != _FIELDS:
        return f"{expression!r} must have five fields: minute, hour, day of the month, month, day of the week."
    try:
        next(CronSim(spelled, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        return f"{expression!r} is no cron expression: {error}."
    except StopIteration:
        return f"{expression!r} never comes."
    return ""


def next_tick(expression: str, after: float) -> float:
    """The first moment after another at which a cron is due, in seconds since 1970."""
    return next(CronSim(MACROS.get(expression, expression), _moment(after))).timestamp()


def due_tick(expression: str, last: float, now: float) -> float | None:
    """The newest moment in (last, now] at which a cron is due; None when there is none.

    However many were missed, there is one: what a cron does, it does for all of them.
    """
    backwards = CronSim(MACROS.get(expression, expression), _moment(now) + timedelta(microseconds=1), reverse=True)
    newest = next(backwards).timestamp()
    return newest if last < newest <= now else None


def is_from_a_wrong_clock(last: float, now: float) -> bool:
    """Whether a cron was last due so far in the future that the clock must have been wrong then."""
    return last > now + TOLERATED


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
