"""The worker: does the jobs that are due, in the background of every process.

A job that is done again was begun by a process that died or was stopped, and is told so by
its attempt. A job that fails is tried later and later, and given up after its last try.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from undercroft.database.engine import Engine, Transaction
from undercroft.database.queue import Ending
from undercroft.database.queue_worker import Pace, QueueWorker
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


class Worker(QueueWorker[Claimed]):
    """Does jobs until it is told to stop; one that `is_alone` knows that nobody else does."""

    def __init__(self, engine: Engine, perform: Perform, pace: Pace | None = None, *, is_alone: bool = False) -> None:
        super().__init__(engine, JOBS, pace or Pace(), "The queue of jobs", is_alone=is_alone)
        self._perform = perform

    async def take(self, tx: Transaction, most: int) -> list[Claimed]:
        """At most so many jobs that are due."""
        return await claim_jobs(tx, self._engine.dialect, most, self._pace.claim)

    async def do(self, job: Claimed) -> Ending:
        """Do a job; what becomes of it."""
        if job.attempt > job.tries:
            return _give_up(job, job.note or "Whoever did it ended before saying how it went.")
        try:
            await self._perform(job)
        except GiveUp as problem:
            return _give_up(job, problem.message())
        except Exception as error:  # noqa: BLE001 - whatever a job raises, it has failed
            return self._fail(job, error)
        return Ending("done", "", None, {"progress": ("number", 1.0)})

    def _fail(self, job: Claimed, error: Exception) -> Ending:
        note = str(error) if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
        if job.attempt >= job.tries:
            return _give_up(job, note)
        delay = self._pace.delay(job.attempt)
        _log.warning("Job %s of %r failed and is tried again in %.0f s: %s", job.id, job.name, delay, note)
        return Ending("waiting", note[:_LONGEST_NOTE], delay)


def _give_up(job: Claimed, note: str) -> Ending:
    _log.error("Job %s of %r is given up: %s See `undercroft jobs show %s`.", job.id, job.name, note, job.id)
    return Ending("dead", note[:_LONGEST_NOTE])
