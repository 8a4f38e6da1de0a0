"""Work that goes on after the answer was sent.

What an answer must not tell, such as whether there is an account of some address, its time
must not tell either: so the work that would show it is done when nobody waits any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from undercroft.errors import Problem, Unavailable

MOST: Final = 200
_FAREWELL: Final = 10.0  # seconds
_log = logging.getLogger("undercroft")


class TooManyErrands(Unavailable):
    """More work waits to be done after its answers than this process takes on."""

    code = "too_many_errands"
    default = "The server has much to do. Try again in a moment."


class Errands:
    """What this process still has to do for requests that were answered."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._open: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done soon; what goes wrong with it is logged. Raises `TooManyErrands`."""
        if len(self._open) >= self._most:
            work.close()
            raise TooManyErrands
        task = asyncio.create_task(work)
        self._open.add(task)
        task.add_done_callback(self._end)

    async def done(self) -> None:
        """Wait until all that was started has ended."""
        while self._open:
            await asyncio.wait(self._open)

    async def close(self) -> None:
        """Finish what was started, if it ends soon."""
        if self._open:
            await asyncio.wait(self._open, timeout=_FAREWELL)
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._open.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        fault = None if isinstance(error, Problem) else error
        _log.error("What was to be done after an answer failed: %s", error, exc_info=fault)
