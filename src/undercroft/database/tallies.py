"""Tallies: how often something happened in a while, counted by all processes together without the database.

Each process counts for itself, in windows that begin with the first time and end after some
seconds. A count that has reached a share of what is allowed is told to the other processes, over
the line that wakes them, and again as it grows; they add it to theirs until its window ends.

So nothing is written, and what all let through together may exceed what is allowed: by what a
process keeps to itself, an eighth of it, and by what comes within the pause between two tellings.
Where not one may be too many, `auth.rations` counts in the database.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import blake2b
from time import monotonic
from typing import Final

import msgspec

from undercroft.database.wakeup import LONGEST, PAUSE, Wakeup
from undercroft.ids import record_id

SHARE: Final = 8
MOST_WINDOWS: Final = 50_000
_AT_ONCE: Final = LONGEST // 70


@dataclass(slots=True)
class _Window:
    """What was counted of something, until a moment. `name` is what other processes call it."""

    until: float
    count: int = 0
    name: str = ""


class _Said(msgspec.Struct, frozen=True, array_like=True):
    """What a process tells: what it counted of some things, and how many seconds that counts."""

    owner: str
    counts: list[tuple[str, int, float]]


class Tallies:
    """The counts of a process, and what others told it of theirs. Whatever was counted first is forgotten first."""

    def __init__(self) -> None:
        self._own: OrderedDict[Hashable, _Window] = OrderedDict()
        self._heard: dict[str, dict[str, _Window]] = {}
        self._news: dict[Hashable, _Window] = {}
        self._owner = record_id()
        self._line: Wakeup | None = None

    def join(self, line: Wakeup) -> None:
        """Count together with all who are on a line."""
        self._line = line
        line.on_said = self._hear

    def count(self, key: Hashable, most: int, seconds: float) -> float:
        """Count one more, unless that is too many: then in how many seconds there is room again; else 0."""
        moment = monotonic()
        window = self._own.get(key)
        if window is None or window.until <= moment:
            window = self._begin(key, moment + seconds)
        counted, until = window.count, window.until
        if self._heard:
            counted, until = self._with_others(key, window, moment)
        if counted >= most:
            return until - moment
        window.count += 1
        if self._line is not None and window.count * SHARE >= most:
            self._note(key, window)
        return 0.0

    def _begin(self, key: Hashable, until: float) -> _Window:
        self._own.pop(key, None)
        if len(self._own) >= MOST_WINDOWS:
            self._own.popitem(last=False)
        window = self._own[key] = _Window(until)
        return window

    def _with_others(self, key: Hashable, window: _Window, moment: float) -> tuple[int, float]:
        """What all counted, and when the first of their windows ends."""
        window.name = window.name or _name(key)
        told = self._heard.get(window.name, {})
        counting = [each for each in (window, *told.values()) if each.until > moment and each.count]
        return sum(each.count for each in counting), min((each.until for each in counting), default=window.until)

    def _note(self, key: Hashable, window: _Window) -> None:
        if not self._news:
            asyncio.get_running_loop().call_later(PAUSE, self._tell)
        self._news[key] = window

    def _tell(self) -> None:
        moment, told = monotonic(), list[tuple[str, int, float]]()
        for key, window in self._news.items():
            window.name = window.name or _name(key)
            told.append((window.name, window.count, round(window.until - moment, 3)))
        self._news.clear()
        for start in range(0, len(told), _AT_ONCE):
            said = _Said(self._owner, told[start : start + _AT_ONCE])
            if self._line is not None:
                self._line.say(msgspec.json.encode(said).decode())

    def _hear(self, text: str) -> None:
        try:
            said = msgspec.json.decode(text, type=_Said)
        except msgspec.DecodeError:
            return  # anybody may say anything
        moment = monotonic()
        if len(self._heard) >= MOST_WINDOWS:
            self._forget(moment)
        for name, count, seconds in said.counts:
            self._heard.setdefault(name, {})[said.owner] = _Window(moment + seconds, count)

    def _forget(self, moment: float) -> None:
        """Forget what others counted and counts no more, or all of it when that is not enough."""
        for name, told in list(self._heard.items()):
            if all(window.until <= moment for window in told.values()):
                del self._heard[name]
        if len(self._heard) >= MOST_WINDOWS:
            self._heard.clear()


def _name(key: Hashable) -> str:
    """What all processes call the same thing."""
    return blake2b(repr(key).encode(), digest_size=9).hexdigest()
