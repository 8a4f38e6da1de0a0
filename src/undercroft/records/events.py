"""What happens to records, as hooks see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Executable

from undercroft.collections.collection import Collection
from undercroft.database.engine import Transaction
from undercroft.errors import FieldError
from undercroft.hooks.hook import REFUSED, Event
from undercroft.jobs.job import Named, order
from undercroft.jobs.queue import enqueue
from undercroft.mail.message import Letter, Mailbox, one_line
from undercroft.mail.outbox import seal
from undercroft.query.core import Tables, make_ready
from undercroft.query.scope import Identity
from undercroft.records.event_record import EventRecord
from undercroft.records.host import Asked
from undercroft.records.reach import Records
from undercroft.records.surroundings import Surroundings


class SiteEvent(Event):
    """Something that happens, from where hooks reach records, the database and the outbox."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings

    @property
    def request(self) -> Asked | None:
        """The request that it is done for; None when the program does it by itself."""
        return self.surroundings.work.request

    @property
    def identity(self) -> Identity | None:
        """Who does it; None is a guest. What hooks do themselves counts as done by the same."""
        return self.surroundings.reach.access.scope.identity

    @property
    def records(self) -> Records:
        """All collections, as the caller may read and write them; `records.as_system()` for what they may not."""
        return Records(self.surroundings.reach)

    @property
    def tables(self) -> Tables:
        """The tables of the collections, for `sql`."""
        return Tables(self.surroundings.reach.access.catalog)

    async def sql(self, statement: Executable, **values: Any) -> list[dict[str, Any]]:
        """Run a statement of SQLAlchemy Core; its rows by column. No rule is asked, and nobody is told of a change.

        Raises `SqlError` and `UniqueViolation`.
        """
        ready = make_ready(statement, self.surroundings.reach.access.dialect, values)
        return ready.read(await self.surroundings.run(ready))

    async def enqueue(self, job: Named, /, delay: float = 0.0, **arguments: Any) -> str:
        """Have a job done in the background, in `delay` seconds or at once; its id.

        Inside a transaction it is done once that is durable, and never if it is undone. Raises `BadArguments`.
        """
        dialect, wanted = self.surroundings.reach.access.dialect, order(job, arguments, delay)

        async def put(transaction: Transaction) -> None:
            await enqueue(transaction, dialect, wanted)

        await self.surroundings.within(put)
        return wanted.id

    async def mail(self, to: str, subject: str, *, text: str = "", html: str = "", reply_to: str = "") -> None:
        """Send a letter: inside a transaction, once that is durable, and never if it is undone. Raises `BadLetter`."""
        meta = self.surroundings.work.host.settings.meta
        sender = Mailbox(meta.sender_address, one_line(meta.sender_name))
        answers = (Mailbox(reply_to),) if reply_to else ()
        letter = Letter(sender, (Mailbox(to),), one_line(subject), html, text, answers)
        await self.surroundings.enqueue(seal(letter, "hook"))


class RecordEvent(SiteEvent):
    """Something that happens to a record of a collection."""

    def __init__(self, surroundings: Surroundings, collection: Collection) -> None:
        super().__init__(surroundings)
        self.collection = collection


class RecordCreate(RecordEvent):
    """A record is being created. `record` can be changed before `next()`, and is written after it."""

    def __init__(self, surroundings: Surroundings, collection: Collection, record: EventRecord) -> None:
        super().__init__(surroundings, collection)
        self.record = record


class RecordUpdate(RecordEvent):
    """A record is being changed. `record` can be changed further before `next()`; `original` is what is stored."""

    def __init__(
        self, surroundings: Surroundings, collection: Collection, record: EventRecord, original: Mapping[str, Any]
    ) -> None:
        super().__init__(surroundings, collection)
        self.record = record
        self.original = original


class RecordDelete(RecordEvent):
    """A record is being deleted: it is there before `next()`, and gone after it."""

    def __init__(self, surroundings: Surroundings, collection: Collection, record: Mapping[str, Any]) -> None:
        super().__init__(surroundings, collection)
        self.record = record


class RecordValidate(RecordEvent):
    """A record is being checked. `original` is None for a new one; `errors` are those of the fields, after `next()`."""

    def __init__(
        self,
        surroundings: Surroundings,
        collection: Collection,
        record: EventRecord,
        original: Mapping[str, Any] | None,
    ) -> None:
        super().__init__(surroundings, collection)
        self.record = record
        self.original = original
        self.errors: dict[str, FieldError] = {}

    def add_error(self, field: str, text: str, *, code: str = REFUSED) -> None:
        """Refuse the value of a field; the caller hears of this and of all other errors together."""
        self.errors[field] = FieldError(code, text)


class RecordCreated(RecordEvent):
    """A record was created: it is durable, and cannot be refused any more."""

    def __init__(self, surroundings: Surroundings, collection: Collection, record: Mapping[str, Any]) -> None:
        super().__init__(surroundings, collection)
        self.record = record


class RecordUpdated(RecordEvent):
    """A record was changed, and that is durable; `original` is what it was before."""

    def __init__(
        self,
        surroundings: Surroundings,
        collection: Collection,
        record: Mapping[str, Any],
        original: Mapping[str, Any],
    ) -> None:
        super().__init__(surroundings, collection)
        self.record = record
        self.original = original


class RecordDeleted(RecordEvent):
    """A record was deleted, and that is durable; `record` is what it was."""

    def __init__(self, surroundings: Surroundings, collection: Collection, record: Mapping[str, Any]) -> None:
        super().__init__(surroundings, collection)
        self.record = record


class RecordFailed(RecordEvent):
    """A record was not created, changed or deleted after all, and nothing of it is left; `error` says why."""

    def __init__(
        self, surroundings: Surroundings, collection: Collection, record: Mapping[str, Any], error: BaseException
    ) -> None:
        super().__init__(surroundings, collection)
        self.record = record
        self.error = error


class RecordEnrich(RecordEvent):
    """A record is about to be shown to a caller. `record` is what will be sent: take keys away, or add some."""

    def __init__(self, surroundings: Surroundings, collection: Collection, record: dict[str, Any]) -> None:
        super().__init__(surroundings, collection)
        self.record = record

    def hide(self, *names: str) -> None:
        """Leave these fields out."""
        for name in names:
            self.record.pop(name, None)
