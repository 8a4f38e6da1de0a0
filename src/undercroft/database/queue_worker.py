"""Whoever works off a queue, in the background of every process.

Whoever puts a row in wakes the worker of its own process; what others left, or is due again,
is found by looking. A claim is prolonged for as long as its work goes on, so a row is worked
on again only when its process died or was stopped, and then by a higher attempt. What comes
of it is written down until that succeeds, or the claim is another's.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from random import uniform
from typing import Final, Generic, Protocol, TypeVar

from undercroft.database.engine import Engine, Transaction
from undercroft.database.queue import Ending, Queue, end, prolong, release_all, seconds_until_due
from undercroft.database.wakeup import Ear
from undercroft.errors import Problem

_SHORTEST_PAUSE: Final = 0.01
_log = logging.getLogger("undercroft")


class Taken(Protocol):
    """A row that was taken, for the `attempt`-th time."""

    @property
    def id(self) -> str: ...

    @property
    def attempt(self) -> int: ...


Item = TypeVar("Item", bound=Taken)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many at once in this process, and how often, in seconds."""

    at_once: int = 8
    look_every: float = 3.0
    claim: float = 30.0
    first_delay: float = 2.0
    growth: float = 3.0
    longest_delay: float = 6 * 3600.0
    farewell: float = 10.0

    def delay(self, attempt: int) -> float:
        """How long a row waits after that many attempts; not quite regular, so that they spread."""
        regular = min(self.first_delay * self.growth ** (attempt - 1), self.longest_delay)
        return regular * uniform(0.8, 1.2)  # noqa: S311 - nobody gains by guessing it


class QueueWorker(ABC, Generic[Item]):
    """Works off a queue until it is told to stop; one that `is_alone` knows that nobody else does.

    People know the queue by its `title`.
    """

    def __init__(self, engine: Engine, queue: Queue, pace: Pace, title: str, *, is_alone: bool) -> None:
        self._engine = engine
        self._queue = queue
        self._pace = pace
        self._title = title
        self._has_to_release = is_alone
        self._ear = Ear()
        self._running: dict[asyncio.Task[None], Item] = {}
        self._is_leaving = False
        self._has_failed = False

    @abstractmethod
    async def take(self, tx: Transaction, most: int) -> list[Item]:
        """At most so many rows that are due, claimed for as long as the pace says."""

    @abstractmethod
    async def do(self, item: Item) -> Ending:
        """Do what the row asks for; what becomes of it. What this raises is logged, and the claim runs out."""

    def most_at_once(self) -> int:
        """How many may be worked on now."""
        return self._pace.at_once

    def rest(self) -> float:
        """For how many seconds nothing is to be taken."""
        return 0.0

    def wake(self) -> None:
        """There may be something to do."""
        self._ear.wake()

    async def run(self) -> None:
        """Do what is due, again and again, until `stop`."""
        holding = asyncio.create_task(self._hold())
        try:
            while not self._is_leaving:
                pause = self._pace.look_every
                try:
                    pause = await self._look()
                    self._has_failed = False
                except Exception as error:  # noqa: BLE001 - whatever it is, the next look comes
                    self._tell(error)
                await self._ear.heard(max(pause, _SHORTEST_PAUSE))
        finally:
            holding.cancel()

    async def stop(self) -> None:
        """Take nothing more, let what is at work end if it does so soon, and leave the rest to the next at once."""
        self._is_leaving = True
        self._ear.wake()
        if self._running:
            await asyncio.wait(self._running, timeout=self._pace.farewell)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _look(self) -> float:
        """Take what can be done now; how long to wait until the next look."""
        if self._has_to_release:
            await release_all(self._engine, self._queue)
            self._has_to_release = False
        longest = self._pace.look_every
        if (rest := self.rest()) > 0:
            return min(rest, longest)
        free = self.most_at_once() - len(self._running)
        if free < 1:
            return longest
        due = await seconds_until_due(self._engine, self._queue)
        if due is None or due > 0:
            return longest if due is None else min(due, longest)
        taken = await self._engine.write(lambda tx: self.take(tx, free))
        for item in taken:
            task = asyncio.create_task(self._work(item))
            self._running[task] = item
            task.add_done_callback(self._return)
        return 0.0 if len(taken) == free else longest

    def _return(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell(error)
        self._ear.wake()

    async def _work(self, item: Item) -> None:
        try:
            ending = await self.do(item)
        except asyncio.CancelledError:
            if self._is_leaving:
                await self._note(item, Ending("waiting", "The server stopped.", 0.0))
            raise
        await self._note(item, ending)

    async def _note(self, item: Item, ending: Ending) -> None:
        """Write down what became of a row; as long as that fails, its claim keeps others from doing it again."""
        held = item.id, item.attempt
        until = asyncio.get_running_loop().time() + self._pace.claim / 2
        while True:
            try:
                await self._engine.write(lambda tx: end(tx, self._engine.dialect, self._queue, held, ending))
            except Problem:
                if asyncio.get_running_loop().time() > until:
                    raise
                await asyncio.sleep(1)
            else:
                return

    async def _hold(self) -> None:
        """Prolong the claims of what runs, and stop what is ours no more: it was cancelled, or is another's."""
        while True:
            await asyncio.sleep(self._pace.claim / 3)
            running = dict(self._running)
            held = [(item.id, item.attempt) for item in running.values()]
            try:
                kept = await self._prolong(held) if held else set()
            except Exception as error:  # noqa: BLE001 - the next turn comes before the claims end
                self._tell(error)
                continue
            for task, item in running.items():
                if item.id not in kept:
                    task.cancel()

    async def _prolong(self, held: list[tuple[str, int]]) -> set[str]:
        seconds, dialect = self._pace.claim, self._engine.dialect
        return await self._engine.write(lambda tx: prolong(tx, dialect, self._queue, held, seconds))

    def _tell(self, error: BaseException) -> None:
        """Once, not again and again while it lasts."""
        if not self._has_failed:
            self._has_failed = True
            fault = None if isinstance(error, Problem) else error
            _log.warning("%s cannot be worked on: %s", self._title, error, exc_info=fault)
