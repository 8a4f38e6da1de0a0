"""Running hooks so that none of them can take the server down.

What a hook raises is either a problem that the caller is told about, or a fault of the
hook: then the log has all of it, with the name of the hook, and the caller hears only that
something went wrong. A fault is a fault whatever its kind, `SystemExit` included.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from undercroft.errors import Problem
from undercroft.hooks.failures import HookFailed
from undercroft.hooks.hook import Chain, Deed, Event, Hook
from undercroft.hooks.registry import Registry
from undercroft.hooks.threads import HookThreads
from undercroft.hooks.watchdog import Watchdog, stepwise

T = TypeVar("T")
SECONDS: Final = 5.0
_log = logging.getLogger("undercroft")


class Hooks:
    """The hooks of a program, and what calls them.

    `seconds` is what all those of one change may take together, and each of those after it.
    """

    def __init__(self, registry: Registry | None = None, seconds: float = SECONDS) -> None:
        self.registry = registry or Registry()
        self.seconds = seconds
        self.threads = HookThreads()
        self.watchdog: Watchdog | None = None

    async def run(self, hooks: Sequence[Hook], event: Event, deed: Deed, about: str = "") -> None:
        """Call hooks around a deed; `about` says in the log what it was for. Raises `Problem`."""
        await Chain(event, hooks, deed, _Calls(self, about)).run()

    async def tell(self, hooks: Sequence[Hook], event: Event, about: str = "") -> None:
        """Call hooks when all is over: what goes wrong with one is logged, and stops no other."""
        for hook in hooks:
            try:
                async with asyncio.timeout(self.seconds):
                    await Chain(event, (hook,), nothing, _Calls(self, about)).run()
            except TimeoutError:
                _log.error("Hook %s took longer than %g seconds%s.", hook.name, self.seconds, about)
            except Problem as problem:
                if not isinstance(problem, HookFailed):
                    _log.error("Hook %s failed%s: %s", hook.name, about, problem)

    def close(self) -> None:
        """Let go of the threads."""
        self.threads.close()
        if self.watchdog is not None:
            self.watchdog.stop()


@dataclass(frozen=True, slots=True)
class _Calls:
    """Calls the hooks of one chain."""

    hooks: Hooks
    about: str

    async def invoke(self, hook: Hook, event: Event) -> None:
        """Call a hook: on the event loop, or in a thread. Raises what it raises."""
        if hook.is_async:
            await call(self.hooks, hook.function(event))
        else:
            await self.hooks.threads.run(partial(hook.function, event))

    def blame(self, hook: Hook, error: BaseException) -> BaseException:
        """The error itself if the caller is to hear it, or the task is being ended; else what stands for it."""
        if isinstance(error, Problem) or _is_ending(error):
            return error
        _log.error("Hook %s failed%s.", hook.name, self.about, exc_info=error)
        return HookFailed()


class DiedError(Exception):
    """A function of a site raised what would have ended the program."""


async def nothing() -> None:
    """The deed of those who only listen."""


def _is_ending(error: BaseException) -> bool:
    """Whether the task is being ended, by a time limit or because the server stops."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


async def call(hooks: Hooks, work: Awaitable[T]) -> T:
    """Await what a site's own function does, under the eyes of the watchdog if there is one.

    Raises what it raises; what would end the program, were it raised here, as `DiedError`.
    """
    try:
        if hooks.watchdog is None or not isinstance(work, Coroutine):
            return await work
        return await stepwise(work, hooks.watchdog)
    except BaseException as error:
        if isinstance(error, Exception) or _is_ending(error):
            raise
        raise DiedError(f"It raised {type(error).__name__}: {error}") from error
