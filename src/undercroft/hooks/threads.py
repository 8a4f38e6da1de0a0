"""Threads for hooks that are plain functions.

There are a few, made when they are needed. A thread whose hook nobody waits for any more,
because its time was over, is given up and another one takes its place; it ends when its
hook does. Only so many are given up: past that, hooks are refused until some have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Final

from undercroft.hooks.failures import HooksBusy

MOST: Final = 8
MOST_GIVEN_UP: Final = 32


class ThreadDiedError(Exception):
    """A hook raised what would have ended its thread, or the program."""


class _Job:
    __slots__ = ("done", "function")

    def __init__(self, function: Callable[[], None], done: asyncio.Future[None]) -> None:
        self.function = function
        self.done = done


class HookThreads:
    """Runs functions beside the event loop, at most so many at once; the others wait in line."""

    def __init__(self, most: int = MOST, most_given_up: int = MOST_GIVEN_UP) -> None:
        self.given_up = 0
        self._free = asyncio.Semaphore(most)
        self._most_given_up = most_given_up
        self._resting: list[SimpleQueue[_Job | None]] = []

    async def run(self, function: Callable[[], None]) -> None:
        """Call a function in a thread. Raises what it raises, and `HooksBusy`."""
        if self.given_up >= self._most_given_up:
            raise HooksBusy
        async with self._free:
            inbox = self._resting.pop() if self._resting else self._start()
            job = _Job(function, asyncio.get_running_loop().create_future())
            inbox.put(job)
            try:
                await asyncio.shield(job.done)
            except asyncio.CancelledError:
                if not job.done.done():
                    self._give_up(job, inbox)
                    raise
                self._resting.append(inbox)
                raise
            except BaseException:
                self._resting.append(inbox)
                raise
            self._resting.append(inbox)

    def close(self) -> None:
        """End the threads that rest; those at work end with the process."""
        while self._resting:
            self._resting.pop().put(None)

    def _start(self) -> SimpleQueue[_Job | None]:
        inbox: SimpleQueue[_Job | None] = SimpleQueue()
        loop = asyncio.get_running_loop()
        # A daemon, so that a hook that never returns does not keep the program from ending.
        Thread(target=_serve, args=(inbox, loop), name="undercroft-hook", daemon=True).start()
        return inbox

    def _give_up(self, job: _Job, inbox: SimpleQueue[_Job | None]) -> None:
        self.given_up += 1
        inbox.put(None)
        job.done.add_done_callback(self._take_back)

    def _take_back(self, done: asyncio.Future[None]) -> None:
        self.given_up -= 1
        if not done.cancelled():
            done.exception()  # nobody waits for it


def _serve(inbox: SimpleQueue[_Job | None], loop: asyncio.AbstractEventLoop) -> None:
    while (job := inbox.get()) is not None:
        error: BaseException | None = None
        try:
            job.function()
        except BaseException as raised:  # noqa: BLE001 - whatever it is belongs to who waits; SystemExit as well
            error = raised
        # The loop may be gone, and with it everyone who waited.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, job.done, error)


def _settle(done: asyncio.Future[None], error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    elif isinstance(error, Exception) and not isinstance(error, StopIteration):
        done.set_exception(error)
    else:
        died = ThreadDiedError(f"It raised {type(error).__name__}, which ends a thread.")
        died.__cause__ = error
        done.set_exception(died)
