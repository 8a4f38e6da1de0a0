"""Erasing people and tenants: their keys are destroyed, and what was sealed with them is empty from then on.

All of it is one transaction, in which nobody else writes. What other processes hold of the keys is of no use to them
from its commit on, since they find nothing that it would open; they let go of it as soon as they hear. Copies that were
made before have the bytes without the key, and whoever starts a server on an old copy of the database loses the subject
again, see `keys.tombstones`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from undercroft.collections.catalog import Catalog
from undercroft.collections.cipher import cipher_of, subject_scope
from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.seals import Column, cell_name
from undercroft.collections.session import read_catalog
from undercroft.database.changes import Change, append_change, forget_rows_of
from undercroft.database.dialect import ColumnKind, Dialect
from undercroft.database.engine import Transaction, Value
from undercroft.database.positions import Read
from undercroft.dates import now
from undercroft.encryption.receipts import Receipt, sign
from undercroft.encryption.values import PREFIX_BYTES, key_prefix
from undercroft.errors import Conflict, NotFound
from undercroft.keys.erasures import (
    destroy_subject,
    end_erasure,
    find_erasure,
    insert_erasure,
    known_scopes,
    list_begun,
    subject_key_ids,
    tell_erased,
)
from undercroft.keys.receipt_key import load_receipt_key
from undercroft.keys.rows import SUBJECT_KEYS
from undercroft.records.reseal_labour import Host

_SECONDS: Final = 3600.0


class NoSuchSubject(NotFound):
    """Nothing was ever encrypted for somebody of that name."""

    code = "no_such_subject"

    def __init__(self, subject: str) -> None:
        super().__init__(f"There is no key for {subject!r}: nothing was ever encrypted for anybody of that name.")


class SeveralSubjects(Conflict):
    """Several records have that id, in different collections."""

    code = "several_subjects"

    def __init__(self, subject: str, names: Sequence[str]) -> None:
        super().__init__(f"{subject!r} is in {', '.join(names)}: say in which collection.")


async def find_scope(read: Read, dialect: Dialect, catalog: Catalog, subject: str, collection: str = "") -> str:
    """The scope of the keys of somebody: a record, of a collection where that is named, or whom a text names.

    Raises `NoSuchSubject` and `SeveralSubjects`.
    """
    chosen = [each for each in catalog if not collection or collection in (each.id, each.name)]
    homes = {f"{each.id}/{subject}": each.name for each in chosen}
    if not collection:
        homes[f"/{subject}"] = "no collection, but named by a text"
    found = await known_scopes(read, dialect, list(homes))
    if not found:
        raise NoSuchSubject(subject)
    if len(found) > 1:
        raise SeveralSubjects(subject, sorted(homes[scope] for scope in found))
    return found[0]


async def erase_subject(host: Host, scope: str, by: str) -> Receipt:
    """Erase whom a scope is of; who was erased before stays it, with the same receipt. Raises `NoSuchSubject`."""
    engine, keyring = host.engine, host.keyring
    await keyring.refresh()
    async with engine.transaction(_SECONDS) as tx:
        known = await find_erasure(tx.run, engine.dialect, scope)
        receipt = known.receipt if known is not None else await _erase(tx, host, scope, by)
    if known is None:
        await keyring.refresh()
        await engine.scrub(SUBJECT_KEYS, is_thorough=False)
    return receipt


async def finish_erasures(host: Host) -> None:
    """Empty the values of those whose keys are gone, where that is left to be done."""
    for scope in await list_begun(host.engine.read):
        async with host.engine.transaction(_SECONDS) as tx:
            await _empty_values(tx, host, scope)
            await end_erasure(tx, host.engine.dialect, scope)


async def _erase(tx: Transaction, host: Host, scope: str, by: str) -> Receipt:
    dialect, keyring = host.engine.dialect, host.keyring
    collection, _, subject = scope.partition("/")
    key_ids = await destroy_subject(tx, dialect, scope)
    if not key_ids:
        raise NoSuchSubject(subject)
    told = Receipt(
        app=keyring.app_id,
        collection=collection,
        subject=subject,
        keys=key_ids,
        values=await _empty_values(tx, host, scope),
        at=now(),
        by=by,
    )
    receipt = sign(told, await load_receipt_key(tx.run, dialect, keyring))
    await insert_erasure(tx, dialect, receipt, is_done=True)
    await tell_erased(tx, dialect, receipt, by)
    return receipt


async def _empty_values(tx: Transaction, host: Host, scope: str) -> dict[str, int]:
    """Have nothing left in any field of what the keys of a scope sealed; in how many records each had something."""
    dialect, counts = host.engine.dialect, dict[str, int]()
    prefixes = [key_prefix(key_id) for key_id in await subject_key_ids(tx.run, dialect, scope)]
    for collection in await read_catalog(tx.run, dialect, host.keyring):
        emptied: set[str] = set()
        for name in collection.owners:
            statement = _Statement(collection, collection.by_name[name], dialect)
            ids = [str(key) for (key,) in await tx.run(*statement.of(scope, prefixes))]
            if ids:
                counts[f"{collection.id}/{collection.by_name[name].id}"] = len(ids)
                emptied |= set(ids)
        if emptied:
            await forget_rows_of(tx, dialect, collection.id)
        for record_id in sorted(emptied):
            await append_change(tx, dialect, Change("record", collection.id, record_id, "update"))
    return counts


class _Statement:
    """What empties the values of a field that are of somebody."""

    def __init__(self, collection: Collection, field: Field, dialect: Dialect) -> None:
        self.collection = collection
        self.field = field
        self.dialect = dialect
        self.values: list[Value] = []

    def of(self, scope: str, prefixes: Sequence[bytes]) -> tuple[str, list[Value]]:
        """The statement, with its values."""
        quote = self.dialect.quote
        columns = [column for column in self.collection.columns if column.field is self.field]
        sets = ", ".join(f"{quote(column.name)} = {self._emptied(column)}" for column in columns)
        cell = quote(cell_name(self.field.id))
        under = ", ".join(self._mark(prefix, "bytes") for prefix in prefixes)
        tests = [f"substr({cell}, 1, {PREFIX_BYTES}) IN ({under})"] if prefixes else []
        owner = self.collection.owners[self.field.name]
        if self.collection.seals[self.field.id].phase != "sealed":
            # Some values are out of their cells already: whose they are is known by who owns the record.
            subject = scope.partition("/")[2]
            if subject_scope(self.collection, owner, subject) == scope:
                tests.append(f"{quote(owner.name)} = {self._mark(subject, 'text')}")
        where = " OR ".join(tests) or "1 = 0"
        return f'UPDATE {quote(self.collection.name)} SET {sets} WHERE {where} RETURNING "id"', self.values

    def _emptied(self, column: Column) -> str:
        sealed = cipher_of(self.collection).by_name[self.field.name]
        if column.index is not None:
            return self._mark(sealed.fingerprint(column.index, None), "bytes")
        return "NULL" if column.role == "cell" else self._mark(sealed.zero, self.field.column)

    def _mark(self, value: Value, kind: ColumnKind) -> str:
        self.values.append(value)
        return self.dialect.placeholder(len(self.values), kind)
