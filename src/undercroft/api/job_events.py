"""What a job's function gets, and how it is called."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from undercroft.api.app_events import AppEvent
from undercroft.backend import Backend
from undercroft.errors import Problem
from undercroft.hooks.hooks import call
from undercroft.hooks.threads import HookThreads
from undercroft.http.calling import post
from undercroft.http.outgoing import Reply
from undercroft.jobs.job import Claimed, Job
from undercroft.jobs.queue import note_progress
from undercroft.jobs.worker import GiveUp

_log = logging.getLogger("undercroft")


class JobTimeout(Problem):
    """A job took longer than it may, and was stopped."""

    code = "job_timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"It took longer than {seconds:g} seconds.")


class JobRun(AppEvent):
    """One try of a job. Nobody asks for it, so it reads and writes without any rule.

    `attempt` counts from 1. When it `is_repeated`, it may have been done before, in part or
    whole: an earlier try failed, or its process ended without a word.
    """

    def __init__(self, backend: Backend, claimed: Claimed) -> None:
        super().__init__(backend)
        self._claimed = claimed
        self._loop = asyncio.get_running_loop()

    @property
    def id(self) -> str:
        """The id of the job; the same for each try."""
        return self._claimed.id

    @property
    def name(self) -> str:
        """The name of the job."""
        return self._claimed.name

    @property
    def attempt(self) -> int:
        """Which try it is."""
        return self._claimed.attempt

    @property
    def is_repeated(self) -> bool:
        """Whether it may have been done before."""
        return self._claimed.is_repeated

    async def progress(self, part: float, note: str = "") -> None:
        """Say how far it has come, from 0 to 1, to those who look at the job."""
        engine = self.backend.engine
        await engine.write(lambda tx: note_progress(tx, engine.dialect, self._claimed, part, note))

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], networks: Sequence[str] = ()) -> Reply:
        """Send a body to another server on the internet, or in a private network that is named, within 5 seconds.

        Raises `OutgoingRefused` and `OutgoingFailed`; whatever is answered is no error.
        """
        return await post(url, body, headers, networks)

    def give_up(self, text: str) -> GiveUp:
        """What to raise when it would be of no use to try again: `raise run.give_up("No such order.")`."""
        return GiveUp(text)


def performer(backend: Backend, threads: HookThreads) -> Callable[[Claimed], Awaitable[None]]:
    """What does a job with the functions of the site."""

    async def perform(claimed: Claimed) -> None:
        job = backend.jobs.find(claimed.name)
        run, values = JobRun(backend, claimed), claimed.values()
        try:
            inspect.signature(job.function).bind(run, **values)
        except TypeError as error:
            raise GiveUp(f"{job.name}() cannot be called with {claimed.arguments[:200]}: {error}.") from error
        try:
            async with asyncio.timeout(job.seconds):
                await _call(backend, threads, job, run, **values)
        except TimeoutError as error:
            raise JobTimeout(job.seconds) from error
        except Problem:
            raise
        except Exception:
            _log.exception("Job %s of %r failed.", claimed.id, job.name)
            raise

    return perform


async def _call(backend: Backend, threads: HookThreads, job: Job, run: JobRun, **values: object) -> None:
    if inspect.iscoroutinefunction(job.function):
        await call(backend.hooks, job.function(run, **values))
    else:
        await threads.run(partial(job.function, run, **values))
