"""Which statements are known to take long, for a moment."""

from __future__ import annotations

from time import perf_counter

_MOST = 1000


class SlowTexts:
    """Texts of statements, each remembered for some seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[str, float] = {}

    def remember(self, sql: str) -> None:
        """Know a text from now on, for a while."""
        if len(self._until) >= _MOST:
            self._until.clear()
        self._until[sql] = perf_counter() + self._seconds

    def knows(self, sql: str, moment: float) -> bool:
        """Whether the text was remembered not long ago."""
        return bool(self._until) and self._until.get(sql, 0.0) > moment
