"""Macros: names such as `@now` that stand for a moment or a part of it, in UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

from undercroft.database.engine import Value
from undercroft.dates import render_date


def _start(day: datetime) -> datetime:
    return day.replace(hour=0, minute=0, second=0, microsecond=0)


def _end(day: datetime) -> datetime:
    return day.replace(hour=23, minute=59, second=59, microsecond=999000)


def _month_end(now: datetime) -> datetime:
    next_month = (now.replace(day=28) + timedelta(days=4)).replace(day=1)
    return _end(next_month - timedelta(days=1))


_DATES: dict[str, Callable[[datetime], datetime]] = {
    "@now": lambda now: now,
    "@yesterday": lambda now: now - timedelta(days=1),
    "@tomorrow": lambda now: now + timedelta(days=1),
    "@todayStart": _start,
    "@todayEnd": _end,
    "@monthStart": lambda now: _start(now.replace(day=1)),
    "@monthEnd": _month_end,
    "@yearStart": lambda now: _start(now.replace(month=1, day=1)),
    "@yearEnd": lambda now: _end(now.replace(month=12, day=31)),
}
_NUMBERS: dict[str, Callable[[datetime], int]] = {
    "@second": lambda now: now.second,
    "@minute": lambda now: now.minute,
    "@hour": lambda now: now.hour,
    "@day": lambda now: now.day,
    "@month": lambda now: now.month,
    "@year": lambda now: now.year,
    "@weekday": lambda now: (now.weekday() + 1) % 7,
}
MACROS = frozenset(_DATES) | frozenset(_NUMBERS)


def macro_kind(name: str) -> Literal["number", "text"]:
    """What a macro stands for."""
    return "number" if name in _NUMBERS else "text"


def macro_value(name: str, now: datetime | None = None) -> Value:
    """The value of a macro at a moment (now)."""
    moment = now or datetime.now(UTC)
    if name in _DATES:
        return render_date(_DATES[name](moment))
    return _NUMBERS[name](moment)
