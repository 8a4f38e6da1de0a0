"""How often one caller may do something, counted in this process."""

from __future__ import annotations

from collections import OrderedDict, deque
from hashlib import sha256
from time import monotonic
from typing import Final

from undercroft.errors import TooMany

_MOST_CALLERS: Final = 10_000


class Throttle:
    """At most `most` times in any `seconds`, for each caller. Whoever was not seen for longest is forgotten first.

    Callers are kept by a hash of their names, which may be as long as they like.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._seen: OrderedDict[bytes, deque[float]] = OrderedDict()

    def check(self, caller: str) -> None:
        """Count one more. Raises `TooMany`, which is not counted."""
        moment, key = monotonic(), _key(caller)
        times = self._seen.setdefault(key, deque())
        self._seen.move_to_end(key)
        while times and times[0] <= moment - self._seconds:
            times.popleft()
        if len(times) >= self._most:
            wait = int(times[0] + self._seconds - moment) + 1
            raise TooMany(f"That was too often. Try again in {wait} seconds.", wait)
        times.append(moment)
        if len(self._seen) > _MOST_CALLERS:
            self._seen.popitem(last=False)


def _key(caller: str) -> bytes:
    return sha256(caller.encode(errors="surrogatepass")).digest()
