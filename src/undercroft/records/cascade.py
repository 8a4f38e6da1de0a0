"""Deleting a record with what hangs on it.

For every relation that points to it: the id is taken out; a referrer left with
none is deleted too when its field says so, stands in the way when its field is
required, and else is kept without the id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from undercroft.collections.collection import Collection
from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.relation import RelationField
from undercroft.database.changes import Change, ChangeAction, append_change
from undercroft.database.engine import Transaction
from undercroft.dates import now
from undercroft.errors import BadRequest
from undercroft.records.access import Access
from undercroft.records.record import from_row, select_columns

_OF_ACCOUNTS: Final = ("_mfas", "_otps", "_authOrigins", "_externalAuths")


class ReferenceRequired(BadRequest):
    """A required relation points to the record."""

    code = "reference_required"


class Cascade:
    """One delete and all that follow from it. `files` are the files to remove once it is durable."""

    def __init__(self, access: Access, transaction: Transaction) -> None:
        self.access = access
        self.transaction = transaction
        self.files: list[tuple[str, str, list[str]]] = []
        self._gone: set[tuple[str, str]] = set()

    async def delete(self, collection: Collection, record: Mapping[str, Any]) -> None:
        """Delete a record and what follows. Raises `ReferenceRequired`."""
        record_id = record["id"]
        if (collection.id, record_id) in self._gone:
            return
        self._gone.add((collection.id, record_id))
        for referring, field in referrers(self.access, collection):
            await self._release(referring, field, record_id)
        quote, mark = self.access.dialect.quote, self.access.dialect.placeholder(1)
        await self.access.run(f"DELETE FROM {quote(collection.name)} WHERE {quote('id')} = {mark}", [record_id])
        if collection.is_auth:
            await self._forget_account(collection, record_id)
        names = [name for f in collection.file_fields for name in f.to_list(record[f.name])]
        if names:
            self.files.append((collection.id, record_id, names))
        await self._log(collection, record_id, "delete")

    async def _release(self, referring: Collection, field: RelationField, record_id: str) -> None:
        for row in await self.access.run(_referring_sql(self.access, referring, field), [record_id]):
            record = from_row(referring, row)
            if (referring.id, record["id"]) in self._gone:
                continue
            left = field.modify("-", record[field.name], record_id)
            if left:
                await self._keep(referring, record, field, left)
            elif field.cascade_delete:
                await self.delete(referring, record)
            elif field.required:
                raise ReferenceRequired
            else:
                await self._keep(referring, record, field, left)

    async def _keep(self, referring: Collection, record: Mapping[str, Any], field: RelationField, left: Any) -> None:
        stamps = [f.name for f in referring.fields if isinstance(f, AutodateField) and f.on_update]
        quote, mark = self.access.dialect.quote, self.access.dialect.placeholder
        sets = ", ".join(f"{quote(name)} = {mark(n)}" for n, name in enumerate([field.name, *stamps], 1))
        sql = f"UPDATE {quote(referring.name)} SET {sets} WHERE {quote('id')} = {mark(len(stamps) + 2)}"
        await self.access.run(sql, [field.to_column(left), *[now()] * len(stamps), record["id"]])
        await self._log(referring, record["id"], "update")

    async def _forget_account(self, collection: Collection, record_id: str) -> None:
        """Remove what the server keeps about an account: second factors, codes, devices, links."""
        quote, mark = self.access.dialect.quote, self.access.dialect.placeholder
        for name in _OF_ACCOUNTS:
            table = self.access.catalog.find(name)
            if table is not None:
                test = f"{quote('collectionRef')} = {mark(1)} AND {quote('recordRef')} = {mark(2)}"
                await self.access.run(f"DELETE FROM {quote(table.name)} WHERE {test}", [collection.id, record_id])

    async def _log(self, collection: Collection, record_id: str, action: ChangeAction) -> None:
        await append_change(self.transaction, self.access.dialect, Change("record", collection.id, record_id, action))


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
