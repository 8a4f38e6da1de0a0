"""How long writes took lately, as whoever asked for them saw it."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import Final

_KEPT: Final = 500
_SECONDS: Final = 5.0
_FEW: Final = 10  # of fewer nothing can be said


class Waits:
    """The last few hundred of one process."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def note(self, seconds: float) -> None:
        """One more took so long."""
        self._seen.append((monotonic(), seconds))

    def p99(self) -> float | None:
        """What only one in a hundred took longer than in the last seconds; None when there were too few to say."""
        since = monotonic() - _SECONDS
        lately = sorted(seconds for moment, seconds in self._seen if moment > since)
        return lately[len(lately) * 99 // 100] if len(lately) >= _FEW else None
