"""A unit of work: one write transaction, the hooks in it, and what was done in it.

Inside of it hooks run, so it is an interactive transaction: it runs once and has a time limit.
Where hooks only listen to the outcome it is an ordinary operation, which an engine may run
again; then nothing is called here, and only noted down what is to be told afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

from undercroft.collections.collection import Collection
from undercroft.database.engine import Operation, Row, Transaction, Value
from undercroft.errors import FieldError, Invalid
from undercroft.hooks.failures import HookMisuseError
from undercroft.hooks.hook import Deed as Core
from undercroft.hooks.hook import Event
from undercroft.mail.outbox import Sealed, enqueue
from undercroft.query.core import Ready
from undercroft.query.scope import system_scope
from undercroft.records.access import Access
from undercroft.records.accounts import new_token_key
from undercroft.records.draft import Draft
from undercroft.records.event_record import EventRecord, shown_values
from undercroft.records.events import RecordCreate, RecordDelete, RecordUpdate, RecordValidate
from undercroft.records.host import Work
from undercroft.records.involvement import Action
from undercroft.records.model_events import call_around
from undercroft.records.prepare import Desk, Prepared, prepare_write
from undercroft.records.reach import Values
from undercroft.records.rows import reader_of

DEEPEST: Final = 16
"""How deep hooks may go on to other writes, whose hooks go on to others."""


@dataclass(slots=True)
class Deed:
    """Something done to a record in a transaction; `error` is set when it was undone in it."""

    action: Action
    access: Access
    collection: Collection
    values: Mapping[str, Any]
    before: Mapping[str, Any] | None = None
    error: BaseException | None = None


class Writes(Protocol):
    """What writes records in a transaction: `records.write.Writer`."""

    access: Access
    transaction: Transaction
    unit: Unit | None

    async def create(self, collection: Collection, prepared: Prepared) -> Draft: ...
    async def update(self, collection: Collection, record_id: str, prepared: Prepared) -> Draft: ...
    async def delete(self, collection: Collection, record_id: str) -> None: ...
    def asking(self, access: Access) -> Self: ...


@dataclass(frozen=True, slots=True)
class Steps:
    """How a draft is written: what finds errors (None: it is not checked), what stores it, what a refusal says."""

    find_errors: Callable[[], Awaitable[dict[str, FieldError]]] | None
    store: Core
    refusal: str = ""


class Unit:
    """One transaction with its hooks. `deeds` are in the order in which they were begun."""

    def __init__(self, work: Work, *, is_inside: bool) -> None:
        self.work = work
        self.is_inside = is_inside
        self.deeds: list[Deed] = []
        self._depth = 0
        self._savepoints = 0

    async def write(self, writer: Writes, draft: Draft, steps: Steps) -> None:
        """Check and store a draft, with hooks around it. Raises what they and the steps raise."""
        action: Action = "create" if draft.before is None else "update"
        self._note(Deed(action, writer.access, draft.collection, draft.values, draft.before))
        address = draft.values.get("email")
        record = EventRecord(draft)

        async def check_and_store() -> None:
            _renew_key(draft, address)
            await self._check(writer, draft, record, steps)
            await self._around(f"record_{action}_execute", self._event_of(writer, draft, record), steps.store)

        async with self._deeper():
            await self._around(f"record_{action}", self._event_of(writer, draft, record), check_and_store)

    async def remove(
        self, writer: Writes, collection: Collection, record: Mapping[str, Any], steps: tuple[Core, Core]
    ) -> None:
        """Delete what hangs on a record, the first step, and then the record, with hooks around both and the second."""
        self._note(Deed("delete", writer.access, collection, record))
        shown = shown_values(collection, record)
        inside = Inside(self, writer)

        async def delete() -> None:
            await steps[0]()
            event = RecordDelete(inside, collection, shown)
            await self._around("record_delete_execute", event, steps[1])

        await self._around("record_delete", RecordDelete(inside, collection, shown), delete)

    def note_delete(self, access: Access, collection: Collection, record: Mapping[str, Any]) -> None:
        """A record was deleted, with no hooks around."""
        self._note(Deed("delete", access, collection, record))

    @asynccontextmanager
    async def apart(self, run: Callable[[str], Awaitable[object]]) -> AsyncIterator[None]:
        """What fails in the block is undone by itself: a hook that catches it finds the transaction in order."""
        self._savepoints += 1
        name, already = f"hook_{self._savepoints}", len(self.deeds)
        await run(f"SAVEPOINT {name}")
        try:
            yield
        except Exception as error:
            for deed in self.deeds[already:]:
                deed.error = deed.error or error
            await run(f"ROLLBACK TO SAVEPOINT {name}")
            await run(f"RELEASE SAVEPOINT {name}")
            raise
        await run(f"RELEASE SAVEPOINT {name}")

    def _note(self, deed: Deed) -> None:
        self.deeds.append(deed)

    def _event_of(self, writer: Writes, draft: Draft, record: EventRecord) -> Event:
        inside = Inside(self, writer)
        if draft.before is None:
            return RecordCreate(inside, draft.collection, record)
        return RecordUpdate(inside, draft.collection, record, shown_values(draft.collection, draft.before))

    async def _check(self, writer: Writes, draft: Draft, record: EventRecord, steps: Steps) -> None:
        if steps.find_errors is None:
            return
        collection = draft.collection
        before = None if draft.before is None else shown_values(collection, draft.before)
        event = RecordValidate(Inside(self, writer), collection, record, before)

        async def find_errors() -> None:
            found = await steps.find_errors() if steps.find_errors is not None else {}
            event.errors = {**found, **event.errors}

        await self._around("record_validate", event, find_errors)
        if event.errors:
            raise Invalid(event.errors, steps.refusal)

    async def _around(self, moment: str, event: Any, core: Core) -> None:
        await (call_around(self.work, moment, event, event.collection, core) if self.is_inside else core())

    @asynccontextmanager
    async def _deeper(self) -> AsyncIterator[None]:
        if self._depth >= DEEPEST:
            raise HookMisuseError(f"Hooks write records whose hooks write records, more than {DEEPEST} deep.")
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1


class Inside:
    """The surroundings of an event inside of a unit; also the reach of its hooks."""

    def __init__(self, unit: Unit, writer: Writes) -> None:
        self._unit = unit
        self._writer = writer
        self.work = unit.work
        access = writer.access
        self.access = Access(access.run, access.plans, access.catalog, access.scope, reader_of)

    @property
    def reach(self) -> Inside:
        """Itself."""
        return self

    async def run(self, ready: Ready) -> Sequence[Row]:
        """Run a statement; its rows."""
        async with self._unit.apart(self._control):
            return await self.access.run(ready.sql, ready.values)

    async def within(self, work: Operation[None]) -> None:
        """Do something in the transaction."""
        await work(self._writer.transaction)

    async def enqueue(self, letter: Sealed) -> None:
        """Have a letter sent once the transaction is durable."""
        await enqueue(self._writer.transaction, self.access.dialect, letter)

    async def save(self, collection: Collection, record_id: str | None, values: Values) -> Draft:
        """Create (`record_id` None) or update a record."""
        if values.files:
            raise HookMisuseError("A file cannot be stored from within a transaction: do it in record_created.")
        async with self._unit.apart(self._control):
            desk = Desk(self.access, self.work.host.passwords)
            prepared = await prepare_write(desk, collection, record_id, values.data, {})
            writer = self._writer.asking(self.access)
            if record_id is None:
                return await writer.create(collection, prepared)
            return await writer.update(collection, record_id, prepared)

    async def delete(self, collection: Collection, record_id: str) -> None:
        """Delete a record."""
        async with self._unit.apart(self._control):
            await self._writer.asking(self.access).delete(collection, record_id)

    def working(self) -> AbstractContextManager[None]:
        """Nothing is counted."""
        return nullcontext()

    def as_system(self) -> Inside:
        """The same, without any rule."""
        return Inside(self._unit, self._writer.asking(self.access.asking(system_scope(self.access.catalog))))

    async def _control(self, sql: str) -> object:
        return await self.access.run(sql, ())


class Guarded:
    """A transaction that hooks use: one statement at a time, and none once it is over."""

    def __init__(self, transaction: Transaction) -> None:
        self.texts = transaction.texts
        self._transaction = transaction
        self._turn = asyncio.Lock()
        self._is_over = False

    async def run(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run one statement; its rows."""
        async with self._turn:
            if self._is_over:
                raise HookMisuseError("The transaction is over: what a hook starts must have ended when it returns.")
            return await self._transaction.run(sql, values)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call `action` on the event loop once the transaction is durable."""
        self._transaction.after_commit(action)

    def announce(self, kind: str) -> None:
        """Call, once the transaction is durable, whoever listens to this kind of change."""
        self._transaction.announce(kind)

    def is_heard(self, kind: str) -> bool:
        """Whether anybody listens to this kind of change."""
        return self._transaction.is_heard(kind)

    def end(self) -> None:
        """Nothing runs on it any more."""
        self._is_over = True


def _renew_key(draft: Draft, address: Any) -> None:
    """With another address, set by a hook, the tokens of an account are worth nothing any more."""
    before = draft.before
    if before is None or not draft.collection.is_auth or draft.values["email"] == address:
        return
    if draft.values["tokenKey"] == before["tokenKey"]:
        draft.values["tokenKey"] = new_token_key()
