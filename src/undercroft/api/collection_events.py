"""What happens to collections, as hooks see it; and how their changes are run with hooks around them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from undercroft.collections.collection import Collection
from undercroft.database.engine import Transaction
from undercroft.hooks.failures import HookTimeout
from undercroft.hooks.registry import Registry
from undercroft.http.request import Request
from undercroft.records.access import Access
from undercroft.records.events import SiteEvent
from undercroft.records.host import Work
from undercroft.records.model_events import COLLECTIONS, call_around, tell_all, twin_of
from undercroft.records.saving import Outside
from undercroft.records.surroundings import Surroundings
from undercroft.records.unit import Guarded, Inside, Unit
from undercroft.records.write import Writer

T = TypeVar("T")
Action = Literal["create", "update", "delete"]
Judge = Callable[[Collection], Awaitable[Collection]]
Put = Callable[[Collection], Awaitable[None]]
_GRACE: Final = 1.0
_VERBS: Final = ("create", "update", "delete")
_MOMENTS: Final = frozenset(
    {
        *("collection_validate", "collection_created", "collection_updated", "collection_deleted"),
        *(f"collection_{verb}{end}" for verb in _VERBS for end in ("", "_execute", "_failed")),
    }
)


def has_hooks(registry: Registry) -> bool:
    """Whether there are hooks around changes of collections."""
    return not registry.moments.isdisjoint(_MOMENTS) or registry.has_any(map(twin_of, _MOMENTS), COLLECTIONS)


class CollectionEvent(SiteEvent):
    """Something that happens to a collection. `original` is what it was, None for a new one.

    Before `next()` of a create or an update, `collection` can be replaced by another one
    (`msgspec.structs.replace`). `error` says why it was undone, if it was.
    """

    def __init__(
        self, surroundings: Surroundings, collection: Collection, original: Collection | None, error: Any = None
    ) -> None:
        super().__init__(surroundings)
        self.collection = collection
        self.original = original
        self.error: BaseException | None = error


@dataclass(slots=True)
class _Deed:
    action: Action
    collection: Collection
    original: Collection | None


class CollectionHooks:
    """The hooks around one request that changes collections."""

    def __init__(self, request: Request) -> None:
        backend = request.backend
        self._work = Work(backend, request)
        self._access = Access.of(backend, request.rule_scope())
        self._deeds: list[_Deed] = []
        self._inside: Inside | None = None

    async def run(self, whole: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run a change in a transaction that waits for hooks, and tell those that listen how it ended."""
        return await asyncio.shield(asyncio.create_task(self._run(whole)))

    async def save(self, old: Collection | None, new: Collection, judge: Judge, put: Put) -> Collection:
        """Judge and save a collection, with hooks around; the collection as it was saved."""
        action: Action = "create" if old is None else "update"
        event = CollectionEvent(self._surroundings, new, old)
        self._deeds.append(deed := _Deed(action, new, old))

        async def check() -> None:
            event.collection = await judge(event.collection)

        async def store() -> None:
            await put(event.collection)

        async def check_and_store() -> None:
            await self._around("collection_validate", event, check)
            await self._around(f"collection_{action}_execute", event, store)

        await self._around(f"collection_{action}", event, check_and_store)
        deed.collection = event.collection
        return event.collection

    async def remove(self, old: Collection, remove: Put) -> None:
        """Delete a collection, with hooks around."""
        event = CollectionEvent(self._surroundings, old, old)
        self._deeds.append(_Deed("delete", old, old))

        async def delete() -> None:
            await self._around("collection_delete_execute", event, lambda: remove(old))

        await self._around("collection_delete", event, delete)

    @property
    def _surroundings(self) -> Surroundings:
        return self._inside or Outside(self._work, self._access)

    async def _run(self, whole: Callable[[Transaction], Awaitable[T]]) -> T:
        hooks = self._work.host.hooks
        try:
            async with self._work.host.engine.transaction(hooks.seconds + _GRACE) as transaction:
                result = await self._run_inside(transaction, whole)
        except Exception as error:
            await self._tell_of_all(error)
            raise
        await self._tell_of_all(None)
        return result

    async def _run_inside(self, transaction: Transaction, whole: Callable[[Transaction], Awaitable[T]]) -> T:
        guarded = Guarded(transaction)
        unit = Unit(self._work, is_inside=True)
        self._inside = Inside(unit, Writer(self._access.through(guarded.run), guarded, unit))
        try:
            async with asyncio.timeout(self._work.host.hooks.seconds):
                return await whole(guarded)
        except TimeoutError as error:
            raise HookTimeout from error
        finally:
            guarded.end()
            self._inside = None

    async def _around(self, moment: str, event: CollectionEvent, core: Callable[[], Awaitable[None]]) -> None:
        await call_around(self._work, moment, event, event.original or event.collection, core)

    async def _tell_of_all(self, error: BaseException | None) -> None:
        for deed in self._deeds:
            moment = f"collection_{deed.action}_failed" if error else f"collection_{deed.action.removesuffix('e')}ed"
            event = CollectionEvent(Outside(self._work, self._access), deed.collection, deed.original, error)
            await tell_all(self._work, moment, event, deed.collection)
