"""What a job is: a function of the site that is run in the background, and one call of it that waits.

@job(tries=8)
async def bill(run, order): ...

@cron("*/5 * * * *")
async def tidy(run): ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec

from undercroft.errors import BadRequest, Problem
from undercroft.ids import record_id

TRIES: Final = 5
CRON_TRIES: Final = 3
SECONDS: Final = 300.0
LONGEST_NAME: Final = 100
LARGEST: Final = 1024 * 1024  # characters of arguments


class BadJob(Problem):
    """A job or cron is declared in a way that cannot work."""

    code = "bad_job"


class BadArguments(BadRequest):
    """What a job is to be called with cannot be kept."""

    code = "bad_job_arguments"


class NoSuchJob(Problem):
    """No function of the site has that name."""

    code = "no_such_job"


@dataclass(frozen=True, slots=True)
class Job:
    """A function to be run in the background.

    `tries` is how often it is tried in all, `seconds` what each try may take. A cron also
    has the `expression` that says when it is run.
    """

    name: str
    function: Callable[..., Any]
    tries: int = TRIES
    seconds: float = SECONDS
    expression: str = ""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function here and now, as tests do."""
        return self.function(*arguments, **named)


class Named(Protocol):
    """What can be enqueued by its name, as a `Job` can."""

    @property
    def name(self) -> str: ...

    @property
    def tries(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Order:
    """One call of a job that is to be done, in `delay` seconds or as soon as can be.

    Of orders with the same `id` the first is kept.
    """

    name: str
    arguments: str = "{}"
    delay: float = 0.0
    tries: int = TRIES
    id: str = field(default_factory=record_id)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A call that this process does now, for the `attempt`-th time of at most `tries`.

    From the second on the call may have been done before, in part or whole: whoever did it
    failed, or never said.
    """

    id: str
    name: str
    arguments: str
    tries: int
    attempt: int
    note: str = ""

    @property
    def is_repeated(self) -> bool:
        return self.attempt > 1

    def values(self) -> Mapping[str, Any]:
        """What the function is called with, by name."""
        found: Mapping[str, Any] = msgspec.json.decode(self.arguments)
        return found


def order(job: Named, arguments: Mapping[str, Any], delay: float = 0.0) -> Order:
    """An order for a call with these arguments. Raises `BadArguments`."""
    try:
        text = msgspec.json.encode(dict(arguments)).decode()
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise BadArguments(f"The arguments of job {job.name!r} cannot be written as JSON: {error}.") from error
    if len(text) > LARGEST:
        raise BadArguments(f"The arguments of job {job.name!r} are larger than {LARGEST} characters.")
    if not 0 <= delay <= 10 * 366 * 86_400:
        raise BadArguments(f"The delay of job {job.name!r} is {delay:g} seconds: from now on, at most ten years.")
    return Order(job.name, text, delay, job.tries)
