"""The decorators `@job` and `@cron`, and the jobs that they declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

from undercroft.errors import did_you_mean
from undercroft.hooks.moment import Declarations
from undercroft.jobs.job import CRON_TRIES, LONGEST_NAME, SECONDS, TRIES, BadJob, Job, NoSuchJob
from undercroft.jobs.schedule import find_fault

_OURS = "__"


class JobDecorator:
    """Makes a function of the site a job: `@job`, or `@job(tries=8, seconds=60)`."""

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations

    @overload
    def __call__(self, function: Callable[..., Any], /) -> Job: ...
    @overload
    def __call__(
        self, /, *, name: str = "", tries: int = TRIES, seconds: float = SECONDS
    ) -> Callable[[Callable[..., Any]], Job]: ...
    def __call__(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str = "",
        tries: int = TRIES,
        seconds: float = SECONDS,
    ) -> Job | Callable[[Callable[..., Any]], Job]:
        """Declare a job. It is tried `tries` times in all, each for at most so many seconds. Raises `BadJob`."""

        def declare(declared: Callable[..., Any]) -> Job:
            made = Job(name or declared.__name__, declared, tries, seconds)
            _check(made)
            self._declarations.declare(declared, made)
            return made

        return declare if function is None else declare(function)


class CronDecorator:
    """Makes a function of the site a cron: `@cron("*/5 * * * *")`."""

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations

    def __call__(
        self, expression: str, *, name: str = "", tries: int = CRON_TRIES, seconds: float = SECONDS
    ) -> Callable[[Callable[..., Any]], Job]:
        """Declare a cron, by five fields or a macro such as `@daily`, in UTC. Raises `BadJob`."""

        def declare(declared: Callable[..., Any]) -> Job:
            made = Job(name or declared.__name__, declared, tries, seconds, expression)
            _check(made)
            if fault := find_fault(expression):
                raise BadJob(f"Cron {made.name!r}: {fault}")
            self._declarations.declare(declared, made)
            return made

        return declare


class Jobs:
    """The jobs there are, by name: those of the site, which may be loaded anew, and those of the house."""

    def __init__(self, own: Callable[[], Iterable[Job]] = tuple, house: Sequence[Job] = ()) -> None:
        self._own = own
        self._house = house

    def all(self) -> list[Job]:
        """All of them, those of the site first. Raises `BadJob` when two have one name."""
        found: dict[str, Job] = {}
        for job in (*self._own(), *self._house):
            if job.name in found:
                raise BadJob(f"There are two jobs called {job.name!r}: give one another name, as in @job(name=...).")
            found[job.name] = job
        return list(found.values())

    def crons(self) -> list[Job]:
        """Those that are done at their times."""
        return [job for job in self.all() if job.expression]

    def find(self, name: str) -> Job:
        """The job of that name. Raises `NoSuchJob`."""
        known = {job.name: job for job in self.all()}
        if name not in known:
            hint = did_you_mean(name, list(known))
            raise NoSuchJob(f"No function of this server is declared as the job {name!r}.{hint}")
        return known[name]


def _check(job: Job) -> None:
    if not job.name or len(job.name) > LONGEST_NAME or job.name.startswith(_OURS):
        raise BadJob(f"A job cannot be called {job.name!r}: 1 to {LONGEST_NAME} characters that do not begin with __.")
    if job.tries < 1 or job.seconds <= 0:
        raise BadJob(f"Job {job.name!r} needs at least one try, and some seconds for it.")
