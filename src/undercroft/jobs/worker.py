"""The worker: does the jobs that are due, in the background of every process.

Whoever puts a job in wakes the worker of its own process; what others left, or is due again,
is found by looking. A claim is prolonged for as long as its job runs, so a job is done again
only when its process died or was stopped, and then by a higher attempt, which it is told. A
job that fails is tried later and later, and given up after its last try.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import uniform
from typing import Final

from undercroft.database.engine import Engine
from undercroft.database.queue import Ending, end, prolong, release_all, seconds_until_due
from undercroft.database.wakeup import Ear
from undercroft.errors import Problem
from undercroft.jobs.job import Claimed
from undercroft.jobs.queue import JOBS, claim_jobs

Perform = Callable[[Claimed], Awaitable[None]]
"""Does a job. Raises what went wrong; `GiveUp` when trying again is of no use."""
_LONGEST_NOTE: Final = 500
_log = logging.getLogger("undercroft")


class GiveUp(Problem):
    """The job cannot be done, and would not be the next time."""

    code = "job_given_up"


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
        """How long a job waits after that many attempts; not quite regular, so that they spread."""
        regular = min(self.first_delay * self.growth ** min(attempt - 1, 40), self.longest_delay)
        return regular * uniform(0.8, 1.2)  # noqa: S311 - nobody gains by guessing it


class Worker:
    """Does jobs until it is told to stop; one that `is_alone` knows that nobody else does."""

    def __init__(self, engine: Engine, perform: Perform, pace: Pace | None = None, *, is_alone: bool = False) -> None:
        self._engine = engine
        self._perform = perform
        self._pace = pace or Pace()
        self._has_to_release = is_alone
        self._ear = Ear()
        self._running: dict[asyncio.Task[None], Claimed] = {}
        self._is_leaving = False
        self._has_failed = False

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
                await self._ear.heard(max(pause, 0.01))
        finally:
            holding.cancel()

    async def stop(self) -> None:
        """Take no more jobs, let those at work end if they do so soon, and leave the others to the next at once."""
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
            await release_all(self._engine, JOBS)
            self._has_to_release = False
        pace, free = self._pace, self._pace.at_once - len(self._running)
        if free < 1:
            return pace.look_every
        due = await seconds_until_due(self._engine, JOBS)
        if due is None or due > 0:
            return pace.look_every if due is None else min(due, pace.look_every)
        taken = await self._engine.write(lambda tx: claim_jobs(tx, self._engine.dialect, free, pace.claim))
        for job in taken:
            task = asyncio.create_task(self._do(job))
            self._running[task] = job
            task.add_done_callback(self._return)
        return 0.0 if len(taken) == free else pace.look_every

    def _return(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell(error)
        self._ear.wake()

    async def _do(self, job: Claimed) -> None:
        if job.attempt > job.tries:
            return await self._give_up(job, job.note or "Whoever did it ended before saying how it went.")
        try:
            await self._perform(job)
        except asyncio.CancelledError:
            if self._is_leaving:
                await self._note(job, Ending("waiting", "The server stopped.", 0.0))
            raise
        except GiveUp as problem:
            await self._give_up(job, problem.message())
        except Exception as error:  # noqa: BLE001 - whatever a job raises, it has failed
            await self._fail(job, error)
        else:
            await self._note(job, Ending("done", "", None, {"progress": ("number", 1.0)}))
        return None

    async def _fail(self, job: Claimed, error: Exception) -> None:
        note = str(error) if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
        if job.attempt >= job.tries:
            return await self._give_up(job, note)
        delay = self._pace.delay(job.attempt)
        _log.warning("Job %s of %r failed and is tried again in %.0f s: %s", job.id, job.name, delay, note)
        return await self._note(job, Ending("waiting", note[:_LONGEST_NOTE], delay))

    async def _give_up(self, job: Claimed, note: str) -> None:
        await self._note(job, Ending("dead", note[:_LONGEST_NOTE]))
        _log.error("Job %s of %r is given up: %s See `undercroft jobs show %s`.", job.id, job.name, note, job.id)

    async def _note(self, job: Claimed, ending: Ending) -> None:
        """Write down what became of a job; as long as that fails, its claim keeps others from doing it again."""
        until = asyncio.get_running_loop().time() + self._pace.claim / 2
        while True:
            try:
                await self._engine.write(lambda tx: end(tx, self._engine.dialect, JOBS, (job.id, job.attempt), ending))
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
            held = [(job.id, job.attempt) for job in running.values()]
            try:
                kept = await self._prolong(held) if held else set()
            except Exception as error:  # noqa: BLE001 - the next turn comes before the claims end
                self._tell(error)
                continue
            for task, job in running.items():
                if job.id not in kept:
                    task.cancel()

    async def _prolong(self, held: list[tuple[str, int]]) -> set[str]:
        return await self._engine.write(lambda tx: prolong(tx, self._engine.dialect, JOBS, held, self._pace.claim))

    def _tell(self, error: BaseException) -> None:
        """Once, not again and again while it lasts."""
        if not self._has_failed:
            self._has_failed = True
            fault = None if isinstance(error, Problem) else error
            _log.warning("Jobs cannot be worked on: %s", error, exc_info=fault)
