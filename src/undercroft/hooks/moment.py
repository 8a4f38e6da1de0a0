"""Moments: what hooks can be bound to, and the decorators that bind them.

    class On(Moments):
        record_create = TaggedMoment(RecordCreate, "before the record is checked")

    @on.record_create("briefs")
    async def stamp(event: RecordCreate) -> None: ...

A decorated function stays what it is. It is noted down in its own module, under `DECLARED`,
where the loader finds it; or handed to whoever owns the decorators (`app.on`).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, Protocol, TypeVar, overload

from undercroft.hooks.hook import Event, Hook

E = TypeVar("E", bound=Event)
E_contra = TypeVar("E_contra", bound=Event, contravariant=True)
DECLARED: Final = "__undercroft__"
"""The name in a module's globals for the list of what was declared there."""


class Declarations(Protocol):
    """Where decorators put what they declare."""

    def declare(self, function: Callable[..., Any], what: object) -> None:
        """Note it down; `function` is what was decorated."""
        ...


class InItsModule:
    """Notes down in the module in which the function was written."""

    def declare(self, function: Callable[..., Any], what: object) -> None:
        """Note it down. Raises `TypeError` for what is no plain function."""
        if not inspect.isfunction(function):
            raise TypeError(f"{function!r} is no function that was written with `def`.")
        function.__globals__.setdefault(DECLARED, []).append(what)


class Decorator(Generic[E_contra]):
    """Binds a function, and gives it back as it was."""

    def __init__(self, bind: Callable[[Callable[..., Any]], None]) -> None:
        self._bind = bind

    @overload
    def __call__(self, function: Callable[[E_contra], Awaitable[None]]) -> Callable[[E_contra], Awaitable[None]]: ...
    @overload
    def __call__(self, function: Callable[[E_contra], None]) -> Callable[[E_contra], None]: ...
    def __call__(self, function: Callable[[E_contra], Any]) -> Callable[[E_contra], Any]:
        self._bind(function)
        return function


class Binder(Generic[E]):
    """Makes decorators for one moment: `on.serve()`."""

    def __init__(self, moment: str, declarations: Declarations) -> None:
        self._moment = moment
        self._declarations = declarations

    def __call__(self, *, priority: int = 0) -> Decorator[E]:
        """A decorator for hooks; lower priorities are called first, then those that were written first."""
        return self._decorator((), priority)

    def _decorator(self, tags: tuple[str, ...], priority: int) -> Decorator[E]:
        if not all(isinstance(tag, str) for tag in tags):
            raise TypeError(f"Write @on.{self._moment}() with parentheses, and names of collections in them.")

        def bind(function: Callable[..., Any]) -> None:
            self._declarations.declare(function, Hook(self._moment, function, tags, priority))

        return Decorator(bind)


class TaggedBinder(Binder[E]):
    """Makes decorators for one moment of some collections or kinds: `on.record_create("briefs")`."""

    def __call__(self, *tags: str, priority: int = 0) -> Decorator[E]:
        """A decorator for hooks of the collections with these names or ids; without any, of all."""
        return self._decorator(tags, priority)


class Moment(Generic[E]):
    """Something that happens; `when` says at which moment exactly, and what hooks may do then."""

    is_tagged = False

    def __init__(self, event: type[E], when: str) -> None:
        self.event = event
        self.when = when
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Moment[E]: ...
    @overload
    def __get__(self, instance: Moments, owner: type) -> Binder[E]: ...
    def __get__(self, instance: Moments | None, owner: type) -> Moment[E] | Binder[E]:
        return self if instance is None else Binder(self.name, instance.declarations)


class TaggedMoment(Moment[E]):
    """Something that happens to a collection, or to one of several kinds."""

    is_tagged = True

    @overload
    def __get__(self, instance: None, owner: type) -> TaggedMoment[E]: ...
    @overload
    def __get__(self, instance: Moments, owner: type) -> TaggedBinder[E]: ...
    def __get__(self, instance: Moments | None, owner: type) -> TaggedMoment[E] | TaggedBinder[E]:
        return self if instance is None else TaggedBinder(self.name, instance.declarations)


class Moments:
    """What has moments as its attributes; `declarations` is where its decorators put hooks."""

    def __init__(self, declarations: Declarations) -> None:
        self.declarations = declarations

    @classmethod
    def all(cls) -> list[Moment[Any]]:
        """Every moment in the order of the source, those of this class before those of the classes it is made from."""
        return [each for part in cls.__mro__ for each in vars(part).values() if isinstance(each, Moment)]
