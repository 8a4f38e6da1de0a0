"""Deleting a record with what hangs on it.

For every relation that points to it: the id is taken out; a referrer left with
none is deleted too when its field says so, stands in the way when its field is
required, and else is kept without the id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from time import monotonic
from typing import Any, Final

from undercroft.collections.collection import Collection
from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.relation import RelationField
from undercroft.collections.system import OF_ACCOUNTS
from undercroft.database.changes import append_deletes
from undercroft.database.engine import QueryTimeout, Transaction
from undercroft.dates import now
from undercroft.errors import BadRequest
from undercroft.records.access import Access
from undercroft.records.hearers import Hearings
from undercroft.records.log import Entry, log_change
from undercroft.records.record import from_row, select_columns

MOST_SECONDS: Final = 30.0
"""How long one delete may hold the writer, however many records hang on it."""

_Doomed = tuple[Collection, Mapping[str, Any]]


class ReferenceRequired(BadRequest):
    """A required relation points to the record."""

    code = "reference_required"


class Cascade:
    """One delete and all that follow from it. `files` are the keys of the files that go with it."""

    def __init__(self, access: Access, transaction: Transaction) -> None:
        self.access = access
        self.transaction = transaction
        self.files: list[str] = []
        self._gone: set[tuple[str, str]] = set()
        self._hearings = Hearings(access, transaction)

    async def delete(self, collection: Collection, record: Mapping[str, Any]) -> None:
        """Delete a record and what follows. Raises `ReferenceRequired` and `QueryTimeout`."""
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

    async def _release(self, referring: Collection, field: RelationField, record_id: str) -> AsyncIterator[_Doomed]:
        for row in await self.access.run(_referring_sql(self.access, referring, field), [record_id]):
            record = from_row(referring, row)
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
        stamps = [f.name for f in referring.fields if isinstance(f, AutodateField) and f.on_update]
        quote, mark = self.access.dialect.quote, self.access.dialect.placeholder
        sets = ", ".join(f"{quote(name)} = {mark(n)}" for n, name in enumerate([field.name, *stamps], 1))
        sql = f"UPDATE {quote(referring.name)} SET {sets} WHERE {quote('id')} = {mark(len(stamps) + 2)}"
        moment = now()
        await self.access.run(sql, [field.to_column(left), *[moment] * len(stamps), record["id"]])
        kept = {**record, field.name: left, **dict.fromkeys(stamps, moment)}
        await log_change(self.transaction, self.access.dialect, Entry(referring, kept, "update"))

    async def _forget_accounts(self, collection: Collection, record_id: str | None = None) -> None:
        """Remove what the server keeps about one account or all: second factors, codes, devices, links."""
        quote, mark = self.access.dialect.quote, self.access.dialect.placeholder
        test, values = f"{quote('collectionRef')} = {mark(1)}", [collection.id]
        if record_id is not None:
            test, values = f"{test} AND {quote('recordRef')} = {mark(2)}", [collection.id, record_id]
        for name in OF_ACCOUNTS:
            table = self.access.catalog.find(name)
            if table is not None:
                await self.access.run(f"DELETE FROM {quote(table.name)} WHERE {test}", values)


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
