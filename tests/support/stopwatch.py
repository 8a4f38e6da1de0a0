"""How long something took, without the time in which the whole machine stood still.

A busy machine now and then runs nobody for a second. A thread that wants to wake a hundred times a second
sees when: what it was late by is taken off. Work in Python that holds up others is not, for it lets other
threads have their turn every few milliseconds; what holds the interpreter in C for longer is, as nobody can
tell these apart.
"""

from __future__ import annotations

import time
from threading import Lock, Thread

_TICK = 0.01
_LATE = 0.05
"""Seconds; what is shorter is counted, as everybody has to wait for their turn."""


class _Sentinel:
    """Notes when it was woken late."""

    def __init__(self) -> None:
        self._stalls: list[tuple[float, float]] = []
        self._last = time.monotonic()
        self._lock = Lock()
        Thread(target=self._watch, name="sentinel", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(_TICK)
            with self._lock:
                now = time.monotonic()
                if now - self._last > _LATE:
                    self._stalls.append((self._last + _TICK, now))
                self._last = now

    def stalls(self, began: float, ended: float) -> list[float]:
        """For how long the machine stood still, each time, also when the sentinel has not woken since."""
        with self._lock:
            stalls = [*self._stalls, (self._last + _TICK, ended)] if ended - self._last > _LATE else self._stalls
            return [max(0.0, min(ended, end) - max(began, begin)) for begin, end in stalls]


_sentinels: list[_Sentinel] = []


class Stopwatch:
    """Runs from when it is made."""

    def __init__(self) -> None:
        if not _sentinels:
            _sentinels.append(_Sentinel())
        self._began = time.monotonic()

    def seconds(self) -> float:
        """Those that have passed, without those that nobody had."""
        now = time.monotonic()
        return now - self._began - sum(_sentinels[0].stalls(self._began, now))

    def longest_stall(self) -> float:
        """Seconds for which the machine stood still at most since it was made: by these one wait may be too long."""
        return max(_sentinels[0].stalls(self._began, time.monotonic()), default=0.0)
