"""How fast values come along: as fast as writers let them."""

from __future__ import annotations

from typing import Final

SLOW: Final = 0.04
"""What one write in a hundred takes, in seconds, when writers are in each other's way."""
_SHORTEST: Final = 0.005
_LONGEST: Final = 0.2
_SPAN: Final = 2.0  # seconds over which a rate is told


class Pace:
    """How long to rest after each batch.

    While writes take long the rests grow, and they shrink again once writes do not. What was `usual` before
    the work began is not long: a slow disk is not made faster by resting. With `share` a rest is never
    shorter than that part of the time the batch took: other processes wait for the same lock.
    """

    def __init__(self, usual: float | None = None, share: float = 0.0) -> None:
        self.rate = 0.0
        self._slow = max(SLOW, 2 * (usual or 0.0))
        self._share = share
        self._rest = 0.0

    def rest_after(self, rows: int, seconds: float, p99: float | None, most: float) -> float:
        """The rest after a batch of so many rows that took so long; `most` is how many rows a second may be taken."""
        if p99 is not None and p99 > self._slow:
            self._rest = min(max(self._rest * 1.5, _SHORTEST), _LONGEST)
        else:
            self._rest = self._rest * 0.75 if self._rest > _SHORTEST else 0.0
        rest = max(self._rest, seconds * self._share, rows / most - seconds if most > 0 else 0.0)
        self._note(rows, seconds + rest)
        return rest

    def _note(self, rows: int, seconds: float) -> None:
        rate, weight = rows / max(seconds, 1e-6), min(seconds / _SPAN, 1.0)
        self.rate = rate if not self.rate else self.rate + (rate - self.rate) * weight
