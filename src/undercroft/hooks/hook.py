"""A hook: a function that is called when something happens; and the chain in which hooks are called.

Each hook of a chain may act before and after the next one: what stands before
`await event.next()` runs before, what stands behind it afterwards. A hook that never
says `next()` goes before: the chain goes on when it returns. At the end of the chain is
the deed itself. Whatever a hook raises undoes the deed, also when another one catches it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from undercroft.errors import FieldError
from undercroft.hooks.failures import HookMisuseError, HookRefused

T = TypeVar("T")
Deed = Callable[[], Awaitable[None]]
REFUSED: Final = "validation_refused"


@dataclass(frozen=True, slots=True)
class Hook:
    """A function, the moment at which it is called, and of which collections (or kinds) alone, if any are named."""

    moment: str
    function: Callable[[Any], Any]
    tags: tuple[str, ...] = ()
    priority: int = 0

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop; others run in a thread."""
        return inspect.iscoroutinefunction(self.function)

    @property
    def name(self) -> str:
        """What the log calls it: the function, and where it stands."""
        code = getattr(self.function, "__code__", None)
        called: str = getattr(self.function, "__qualname__", repr(self.function))
        return f"{called} ({code.co_filename}:{code.co_firstlineno})" if code is not None else called


class Event:
    """Something that happens, as hooks see it."""

    _next: Deed | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    async def next(self) -> None:
        """Go on with the other hooks and the deed itself, and return when it is done. Raises what they raise."""
        if self._next is None:
            raise HookMisuseError("The event is over, so there is nothing to go on with.")
        await self._next()

    def refuse(self, text: str, *, field: str = "", code: str = REFUSED) -> HookRefused:
        """What to raise in order to refuse: `raise event.refuse("Too late.", field="due")`.

        The caller gets 400 with the text; with a `field`, as an error of that field under the code.
        """
        return HookRefused("" if field else text, {field: FieldError(code, text)} if field else None)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """The outcome of something asynchronous, for hooks that are plain functions: `event.wait(event.next())`."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            if self._loop is None:
                work.close()
                raise HookMisuseError("event.wait() is for hooks, while they run.") from None
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        work.close()
        raise HookMisuseError("An async hook awaits: write `await ...` in place of event.wait(...).")


class Caller(Protocol):
    """What calls single hooks."""

    async def invoke(self, hook: Hook, event: Event) -> None:
        """Call a hook. Raises what it raises."""
        ...

    def blame(self, hook: Hook, error: BaseException) -> BaseException:
        """What is raised in place of what a hook raised by itself."""
        ...


class Chain:
    """One run of some hooks around a deed."""

    def __init__(self, event: Event, hooks: Sequence[Hook], deed: Deed, caller: Caller) -> None:
        self._event = event
        self._hooks = hooks
        self._deed = deed
        self._caller = caller
        self._error: BaseException | None = None

    async def run(self) -> None:
        """Call the hooks in their order, each around the next, and the deed within. Raises what they raise."""
        event = self._event
        before, event._loop = (event._next, event._loop), asyncio.get_running_loop()  # noqa: SLF001 - of one module
        try:
            await self._go_on(0)
        finally:
            event._next, event._loop = before  # noqa: SLF001 - likewise
        if self._error is not None:
            raise self._error

    async def _go_on(self, at: int) -> None:
        try:
            await (self._deed() if at == len(self._hooks) else self._call(at))
        except BaseException as error:
            self._error = self._error or error
            raise

    async def _call(self, at: int) -> None:
        has_gone_on = False

        async def go_on() -> None:
            nonlocal has_gone_on
            if has_gone_on:
                raise HookMisuseError("A hook may say event.next() once.")
            has_gone_on = True
            await self._go_on(at + 1)

        event, hook = self._event, self._hooks[at]
        before, event._next = event._next, go_on  # noqa: SLF001 - of one module
        try:
            try:
                await self._caller.invoke(hook, event)
            except BaseException as error:
                blamed = error if error is self._error else self._caller.blame(hook, error)
                if blamed is error:
                    raise
                raise blamed from error
            if not has_gone_on:
                await go_on()
        finally:
            event._next = before  # noqa: SLF001 - likewise
