"""A watchdog over the event loop: an async hook that blocks it is interrupted.

As long as a hook computes, or sleeps, without awaiting, nobody else is answered. So every
step of a hook is timed, and one that takes too long is broken off by a signal whose handler
raises `LoopBlockedError` right where the hook is. Signals reach the main thread only, so
it is the program that owns it (`undercroft serve`) that starts the watchdog.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Coroutine, Generator
from time import monotonic
from types import FrameType, coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")
SIGNAL: Final = getattr(signal, "SIGALRM", None)
LIMIT: Final = 2.0
_LOOK: Final = 0.25


class LoopBlockedError(BaseException):
    """An async hook did not await for too long. No plain exception, so that no `except Exception` catches it."""


class Watchdog:
    """Times the steps of hooks from a thread of its own; make it on the main thread, which runs the loop."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._since = 0.0
        self._main = threading.main_thread()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="undercroft-watchdog", daemon=True)
        self._before: Any = None

    def start(self) -> None:
        """Watch from now on."""
        if SIGNAL is not None:
            self._before = signal.signal(SIGNAL, self._bark)
            self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        if SIGNAL is not None:
            self._is_over.set()
            self._thread.join()
            signal.signal(SIGNAL, self._before)

    def begin(self) -> float:
        """A step begins; gives what `end` wants. Steps may be inside of others."""
        outer, self._since = self._since, monotonic()
        return outer

    def end(self, outer: float) -> None:
        """The step is over."""
        self._since = outer

    @property
    def _is_late(self) -> bool:
        since = self._since
        return bool(since) and monotonic() - since > self._limit

    def _bark(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        # The step may have ended since the signal was sent, and another one begun.
        if self._is_late:
            self._since = 0.0
            raise LoopBlockedError(f"It kept the event loop for over {self._limit:g} seconds without an await.")

    def _watch(self) -> None:
        while not self._is_over.wait(_LOOK):
            if self._is_late and self._main.ident is not None and SIGNAL is not None:
                signal.pthread_kill(self._main.ident, SIGNAL)


@coroutine
def stepwise(work: Coroutine[Any, Any, T], watchdog: Watchdog) -> Generator[Any, Any, T]:
    """Await work, each of its steps under the eyes of the watchdog."""
    sent: Any = None
    error: BaseException | None = None
    while True:
        outer = watchdog.begin()
        try:
            waiting = work.send(sent) if error is None else work.throw(error)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            watchdog.end(outer)
        sent, error = None, None
        try:
            sent = yield waiting
        except GeneratorExit:
            work.close()
            raise
        except BaseException as raised:  # noqa: BLE001 - it is the work's to hear
            error = raised
