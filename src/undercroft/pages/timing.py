"""What a page costs, by stage."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Final, Literal

Stage = Literal["route", "visitor", "script", "records", "render", "finish"]
_MILLISECONDS: Final = 1000.0


class Stopwatch:
    """Adds up seconds by stage; there is always one that the time counts for."""

    __slots__ = ("_since", "_spent", "stage")

    def __init__(self) -> None:
        self.stage: Stage = "route"
        self._spent: dict[Stage, float] = {}
        self._since = perf_counter()

    def turn_to(self, stage: Stage) -> Stage:
        """Let the time count for another stage from now on; the one it counted for until now."""
        before, now = self.stage, perf_counter()
        self._spent[before] = self._spent.get(before, 0.0) + now - self._since
        self.stage, self._since = stage, now
        return before

    def spent(self) -> Mapping[Stage, float]:
        """Seconds by stage, in the order in which they were entered."""
        self.turn_to(self.stage)
        return self._spent

    def header(self) -> bytes:
        """The seconds spent as the value of a Server-Timing header (in milliseconds)."""
        parts = [f"{stage};dur={seconds * _MILLISECONDS:.3f}" for stage, seconds in self.spent().items()]
        return ", ".join(parts).encode()
