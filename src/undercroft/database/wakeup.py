"""How processes on one database tell each other that there is something new.

A wake-up says nothing but "look": what is new stands in the database, and who missed
the wake-up finds it when they look anyway. So one may be lost, come twice or come from
a stranger, and nothing is wrong but a moment's delay or a needless look.

The same line carries short texts that stand nowhere else. They may be lost as well, so
they are only for what is no harm to miss.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

PAUSE: Final = 0.02  # seconds between two wake-ups of one process; what is rung in between shares the next


LONGEST: Final = 7000  # bytes of a text: PostgreSQL carries no more than 8,000
Hear = Callable[[str], None]


class Wakeup(Protocol):
    """One process's end of the line. `on_said` is called with each text that another process said."""

    on_said: Hear | None

    def ring(self) -> None:
        """Wake the other processes, soon; returns at once, and raises nothing."""
        ...

    def say(self, text: str) -> None:
        """Tell the other processes a text, soon, if that can be; returns at once, and raises nothing."""
        ...

    async def heard(self, seconds: float) -> bool:
        """Wait for another process to ring, at most so long; whether one did."""
        ...

    async def close(self) -> None:
        """Leave the line."""
        ...


class Silence:
    """The line of a process that has the database to itself."""

    def __init__(self) -> None:
        self.on_said: Hear | None = None

    def ring(self) -> None:
        """Nobody is there."""

    def say(self, text: str) -> None:
        """Nobody is there."""

    async def heard(self, seconds: float) -> bool:
        """Nobody rings."""
        await asyncio.sleep(seconds)
        return False

    async def close(self) -> None:
        """There is nothing to leave."""


class Bell:
    """Turns many rings into few calls: at most one waits at any time."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._loop = asyncio.get_running_loop()
        self._next = 0.0
        self._is_waiting = False

    def ring(self) -> None:
        """Have the call made: at once, or when the pause after the last one is over."""
        if not self._is_waiting:
            self._is_waiting = True
            self._loop.call_at(max(self._next, self._loop.time()), self._strike)

    def _strike(self) -> None:
        self._is_waiting = False
        self._next = self._loop.time() + PAUSE
        self._call()


class Ear:
    """What was heard and not yet attended to: something or nothing."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        """Something was heard."""
        self._event.set()

    async def heard(self, seconds: float) -> bool:
        """Wait until something is heard, at most so long; whether it was."""
        try:
            # Not wait_for: before Python 3.12 it may lose a cancellation that comes with the event.
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True
