"""Writing records in transactions of their own, with the hooks that have to do with it.

Where no hook has to do with a write it is an operation like any other. Where hooks only
listen to the outcome it is one too, and they are told afterwards. Hooks inside of it make
it an interactive transaction, which runs once: it holds the writer while they run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from undercroft.collections.collection import Collection
from undercroft.database.engine import Operation as Part
from undercroft.database.engine import Row, Transaction
from undercroft.database.knowing import catch_up, run_knowing
from undercroft.hooks.failures import HookTimeout
from undercroft.http.upload import Upload
from undercroft.mail.outbox import Sealed, enqueue
from undercroft.query.core import Ready
from undercroft.query.scope import system_scope
from undercroft.records.access import Access
from undercroft.records.draft import Draft
from undercroft.records.event_record import shown_values
from undercroft.records.events import RecordCreated, RecordDeleted, RecordEvent, RecordFailed, RecordUpdated
from undercroft.records.host import Work
from undercroft.records.involvement import Action, Involvement, involvement
from undercroft.records.judge import judge
from undercroft.records.model_events import tell_all
from undercroft.records.prepare import Desk, Prepared, prepare_write, vouch
from undercroft.records.reach import Values
from undercroft.records.read import guard
from undercroft.records.rows import reader_of
from undercroft.records.unit import Deed, Guarded, Unit
from undercroft.records.write import Writer

T = TypeVar("T")
Operation = Callable[[Transaction, Unit | None], Awaitable[T]]
Also = Callable[[Transaction, Draft], Awaitable[None]]
Beside = Callable[[Transaction], Awaitable[None]]
_GRACE = 1.0  # seconds in which hooks that are stopped may clean up


@dataclass(frozen=True, slots=True)
class Saving:
    """A record to be created (`record_id` None) or updated, with what was submitted for it.

    `first` is done in the same transaction before the record is written, and `also` once it
    is; an engine may run them again.
    `vouched` are values of an account that the server itself stands for, whatever the caller may set.
    """

    collection: Collection
    record_id: str | None
    data: Mapping[str, Any]
    files: Mapping[str, Sequence[Upload]] = field(default_factory=dict)
    also: Also | None = None
    first: Beside | None = None
    vouched: Mapping[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> Action:
        """Whether it is a create or an update."""
        return "create" if self.record_id is None else "update"


@dataclass(frozen=True, slots=True)
class Deleting:
    """A record to be deleted; `first` and `also` are as in `Saving`."""

    collection: Collection
    record_id: str
    first: Beside | None = None
    also: Beside | None = None


async def save_record(work: Work, access: Access, saving: Saving) -> Draft:
    """Create or update a record as the caller of `access`; the record as it was stored."""
    guard(saving.action, saving.collection, access.scope)
    desk = Desk(access, work.host.counted_passwords)
    preparing = partial(prepare_write, desk, saving.collection, saving.record_id, saving.data, saving.files)
    prepared = await run_knowing(work.host.engine.knowledge, preparing)
    return await _write(work, access, saving, vouch(prepared, saving.vouched))


async def delete_record(work: Work, access: Access, deleting: Deleting) -> None:
    """Delete a record as the caller of `access`."""
    guard("delete", deleting.collection, access.scope)

    async def operation(transaction: Transaction, unit: Unit | None) -> None:
        if deleting.first is not None:
            await deleting.first(transaction)
        writer = Writer(access.through(transaction.run), transaction, unit)
        await writer.delete(deleting.collection, deleting.record_id)
        if deleting.also is not None:
            await deleting.also(transaction)

    await transact(work, involved(work, ("delete", deleting.collection)), operation)


async def _write(work: Work, access: Access, saving: Saving, prepared: Prepared) -> Draft:
    """One create or update in a transaction of its own; the record as it was stored."""
    collection, record_id = saving.collection, saving.record_id
    how = involved(work, (saving.action, collection))

    async def operation(transaction: Transaction, unit: Unit | None) -> Draft:
        writer = Writer(access.through(transaction.run), transaction, unit)
        if saving.first is not None:
            await saving.first(transaction)
        if record_id is None:
            draft = await writer.create(collection, prepared)
        else:
            draft = await writer.update(collection, record_id, prepared)
        if saving.also is not None:
            await saving.also(transaction, draft)
        return draft

    if prepared.placed:
        # What is wrong with the values may be put right by a hook.
        judging = partial(judge, access, collection, record_id, prepared, checks=how != "inside")
        await run_knowing(work.host.engine.knowledge, judging)
    async with work.host.filing.holding(prepared.placed):
        return await transact(work, how, operation)


def involved(work: Work, *deeds: tuple[Action, Collection]) -> Involvement:
    """What hooks have to do with these deeds."""
    return involvement(work.host.hooks.registry, work.host.catalog, deeds)


async def transact(work: Work, how: Involvement, operation: Operation[T], *, seconds: float = 0.0) -> T:
    """Run a write, and tell those hooks that listen how it ended; its result once it is durable.

    Hooks inside have `seconds` (0: as many as are set). The operation gets a unit where hooks have to
    do with it. Without hooks inside an engine may run it again. Raises what it raises, and `HookTimeout`.
    """
    if how == "none":
        return await work.host.engine.write(lambda transaction: operation(transaction, None))
    # Hooks are told of every end there is, so also when the caller goes away.
    return await asyncio.shield(asyncio.create_task(_transact(work, how, operation, seconds)))


async def _transact(work: Work, how: Involvement, operation: Operation[T], seconds: float) -> T:
    unit = Unit(work, is_inside=how == "inside")
    run = _run_inside if unit.is_inside else _run_beside
    try:
        result = await run(unit, operation, seconds or work.host.hooks.seconds)
    except Exception as error:
        for deed in unit.deeds:
            deed.error = deed.error or error
        await _tell_of_all(unit)
        raise
    await _tell_of_all(unit)
    return result


async def _run_beside(unit: Unit, operation: Operation[T], seconds: float) -> T:
    del seconds

    async def whole(transaction: Transaction) -> T:
        unit.deeds.clear()  # an engine may run it more than once
        return await operation(transaction, unit)

    return await unit.work.host.engine.write(whole)


async def _run_inside(unit: Unit, operation: Operation[T], seconds: float) -> T:
    await catch_up(unit.work.host.engine.knowledge)  # hooks run once, and so does this
    async with unit.work.host.engine.transaction(seconds + _GRACE) as transaction:
        guarded = Guarded(transaction)
        try:
            async with asyncio.timeout(seconds):
                return await operation(guarded, unit)
        except TimeoutError as error:
            raise HookTimeout from error
        finally:
            guarded.end()


async def _tell_of_all(unit: Unit) -> None:
    """Call those who listen to what was done, deed by deed."""
    for deed in unit.deeds:
        moment = f"record_{deed.action}_failed" if deed.error else f"record_{deed.action.removesuffix('e')}ed"
        await tell_all(unit.work, moment, _event_of(unit.work, deed), deed.collection)


def _event_of(work: Work, deed: Deed) -> RecordEvent:
    outside, collection = Outside(work, deed.access), deed.collection
    values = shown_values(collection, deed.values)
    if deed.error is not None:
        return RecordFailed(outside, collection, values, deed.error)
    if deed.action == "update" and deed.before is not None:
        return RecordUpdated(outside, collection, values, shown_values(collection, deed.before))
    return (RecordCreated if deed.action == "create" else RecordDeleted)(outside, collection, values)


class Outside:
    """The surroundings of an event outside of any transaction; also the reach of its hooks."""

    def __init__(self, work: Work, access: Access) -> None:
        self.work = work
        self.access = Access(work.host.engine.read, access.plans, work.host.catalog, access.scope, reader_of)

    @property
    def reach(self) -> Outside:
        """Itself."""
        return self

    async def run(self, ready: Ready) -> Sequence[Row]:
        """Run a statement; its rows."""
        engine = self.work.host.engine
        if ready.is_read:
            return await engine.read(ready.sql, ready.values)
        return await engine.write(lambda transaction: transaction.run(ready.sql, ready.values))

    async def within(self, work: Part[None]) -> None:
        """Do something in a transaction of its own."""
        await self.work.host.engine.write(work)

    async def enqueue(self, letter: Sealed) -> None:
        """Have a letter sent."""
        engine = self.work.host.engine
        await engine.write(lambda transaction: enqueue(transaction, engine.dialect, letter))

    async def save(self, collection: Collection, record_id: str | None, values: Values) -> Draft:
        """Create (`record_id` None) or update a record, in a transaction of its own."""
        return await save_record(self.work, self.access, Saving(collection, record_id, values.data, values.files))

    async def delete(self, collection: Collection, record_id: str) -> None:
        """Delete a record, in a transaction of its own."""
        await delete_record(self.work, self.access, Deleting(collection, record_id))

    def working(self) -> AbstractContextManager[None]:
        """Nothing is counted."""
        return nullcontext()

    def as_system(self) -> Outside:
        """The same, without any rule."""
        return Outside(self.work, self.access.asking(system_scope(self.access.catalog)))
