"""Deleting a record with what hangs on it.

For every relation that points to it: the id is taken out; a referrer left with
none is deleted too when its field says so, stands in the way when its field is
required, and else is kept without the id.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from time import monotonic
from typing import Any, Final

from undercroft.collections.collection import Collection
from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.relation import RelationField
from undercroft.collections.system import OF_ACCOUNTS
from undercroft.database.changes import append_deletes
from undercroft.database.engine import QueryTimeout, Transaction
from undercroft.database.statements import forget_account
from undercroft.dates import now
from undercroft.errors import BadRequest
from undercroft.records.access import Access
from undercroft.records.cipher import written_columns
from undercroft.records.draft import Draft
from undercroft.records.hearers import Hearings
from undercroft.records.log import Entry, log_change
from undercroft.records.record import from_row, select_columns
from undercroft.records.unit import Steps, Unit, Writes

MOST_SECONDS: Final = 30.0
"""How long one delete may hold the writer, however many records hang on it."""

_DEEP: Final = 20
_Doomed = tuple[Collection, Mapping[str, Any]]


class ReferenceRequired(BadRequest):
    """A required relation points to the record."""

    code = "reference_required"


class Cascade:
    """One delete and all that follow from it. `files` are the keys of the files that go with it."""

    def __init__(self, access: Access, transaction: Transaction, writer: Writes | None = None) -> None:
        self.access = access
        self.transaction = transaction
        self._writer = writer
        self._unit = writer.unit if writer is not None else None
        self.files: list[str] = []
        self._gone: set[tuple[str, str]] = set()
        self._hearings = Hearings(access, transaction)

    async def delete(self, collection: Collection, record: Mapping[str, Any]) -> None:
        """Delete a record and what follows. Raises `ReferenceRequired` and `QueryTimeout`."""
        if self._writer is not None and self._unit is not None and self._unit.is_inside:
            await self._delete_inside(self._writer, self._unit, (collection, record))
            return
        # A stack of our own: a chain of records may be longer than Python's is deep.
        open_ends = [self._delete(collection, record)]
        until = monotonic() + MOST_SECONDS
        while open_ends:
            if monotonic() > until:
                raise QueryTimeout
            try:
                first = await anext(open_ends[-1])
            except StopAsyncIteration:
                open_ends.pop()
            else:
                open_ends.append(self._delete(*first))

    async def _delete_inside(self, writer: Writes, unit: Unit, doomed: _Doomed, depth: int = 0) -> None:
        """Delete a record and what follows, each with its hooks around it and what hangs on it."""
        collection, record = doomed
        if (collection.id, record["id"]) in self._gone:
            return
        self._gone.add((collection.id, record["id"]))
        verdicts = await self._hearings.verdicts(collection, record["id"])

        async def followers() -> None:
            for referring, field in referrers(self.access, collection):
                async for more in self._release(referring, field, record["id"]):
                    work = self._delete_inside(writer, unit, more, depth + 1)
                    # A task has a stack of its own: a chain of records may be longer than Python's is deep.
                    await (asyncio.create_task(work) if depth % _DEEP == _DEEP - 1 else work)

        async def remove() -> None:
            await self._remove(collection, record, verdicts)

        await unit.remove(writer, collection, record, (followers, remove))

    async def delete_all(self, collection: Collection) -> None:
        """Delete every record of a collection on which nothing hangs: see `is_alone`."""
        await append_deletes(self.transaction, self.access.dialect, collection.id, collection.name)
        await self.access.run(f"DELETE FROM {self.access.dialect.quote(collection.name)}", [])
        if collection.is_auth:
            await self._forget_accounts(collection)

    async def _delete(self, collection: Collection, record: Mapping[str, Any]) -> AsyncIterator[_Doomed]:
        """Delete a record; yields each that must be deleted before, as it is found."""
        if (collection.id, record["id"]) in self._gone:
            return
        self._gone.add((collection.id, record["id"]))
        verdicts = await self._hearings.verdicts(collection, record["id"])
        for referring, field in referrers(self.access, collection):
            async for doomed in self._release(referring, field, record["id"]):
                yield doomed
        await self._remove(collection, record, verdicts)
        if self._unit is not None:
            self._unit.note_delete(self.access, collection, record)

    async def _release(self, referring: Collection, field: RelationField, record_id: str) -> AsyncIterator[_Doomed]:
        for row in await self.access.run(_referring_sql(self.access, referring, field), [record_id]):
            record = await from_row(self.access.run, referring, row)
            if (referring.id, record["id"]) in self._gone:
                continue
            left = field.modify("-", record[field.name], record_id)
            if left or not (field.cascade_delete or field.required):
                await self._keep(referring, record, field, left)
            elif field.cascade_delete:
                yield referring, record
            else:
                raise ReferenceRequired

    async def _remove(self, collection: Collection, record: Mapping[str, Any], verdicts: Mapping[str, bool]) -> None:
        quote, mark = self.access.dialect.quote, self.access.dialect.placeholder(1)
        await self.access.run(f"DELETE FROM {quote(collection.name)} WHERE {quote('id')} = {mark}", [record["id"]])
        if collection.is_auth:
            await self._forget_accounts(collection, record["id"])
        names = [name for f in collection.file_fields for name in f.to_list(record[f.name])]
        self.files += [f"{collection.id}/{record['id']}/{name}" for name in names]
        entry = Entry(collection, record, "delete", verdicts)
        await log_change(self.transaction, self.access.dialect, entry)

    async def _keep(self, referring: Collection, record: Mapping[str, Any], field: RelationField, left: Any) -> None:
        moment = now()
        stamps = {f.name: moment for f in referring.fields if isinstance(f, AutodateField) and f.on_update}
        draft = Draft(referring, record, {**record, field.name: left, **stamps}, frozenset(), {})
        if self._writer is None or self._unit is None:
            await self._store_kept(draft)
        else:
            await self._unit.write(self._writer, draft, Steps(None, partial(self._store_kept, draft)))

    async def _store_kept(self, draft: Draft) -> None:
        referring, before = draft.collection, draft.before or {}
        quote, mark = self.access.dialect.quote, self.access.dialect.placeholder
        changed = await written_columns(self.transaction, self.access.dialect, draft)
        sets = ", ".join(f"{quote(name)} = {mark(n)}" for n, name in enumerate(changed, 1))
        sql = f"UPDATE {quote(referring.name)} SET {sets} WHERE {quote('id')} = {mark(len(changed) + 1)}"
        await self.access.run(sql, [*changed.values(), before["id"]])
        await log_change(self.transaction, self.access.dialect, Entry(referring, draft.values, "update"))

    async def _forget_accounts(self, collection: Collection, record_id: str | None = None) -> None:
        """Remove what the server keeps about one account or all: second factors, codes, devices, links, keys."""
        quote, mark = self.access.dialect.quote, self.access.dialect.placeholder
        test, values = f"{quote('collectionRef')} = {mark(1)}", [collection.id]
        if record_id is not None:
            test, values = f"{test} AND {quote('recordRef')} = {mark(2)}", [collection.id, record_id]
        for name in OF_ACCOUNTS:
            table = self.access.catalog.find(name)
            if table is not None:
                await self.access.run(f"DELETE FROM {quote(table.name)} WHERE {test}", values)
        await forget_account(self.access.run, self.access.dialect, collection.id, record_id)


def is_alone(access: Access, collection: Collection) -> bool:
    """Whether no other record and no file goes with a record of the collection, nor must one of them stay."""
    return not (collection.file_fields or collection.is_superusers or referrers(access, collection))


def referrers(access: Access, collection: Collection) -> list[tuple[Collection, RelationField]]:
    """Every relation field that points to a collection; views have no say."""
    return [
        (other, field)
        for other in access.catalog
        if not other.is_view
        for field in other.fields
        if isinstance(field, RelationField) and field.collection_id == collection.id
    ]


def _referring_sql(access: Access, referring: Collection, field: RelationField) -> str:
    dialect = access.dialect
    columns, table = select_columns(referring, dialect), dialect.quote(referring.name)
    return f"SELECT {columns} FROM {table} WHERE {dialect.holds_id(field.name, is_list=field.is_multiple)}"
