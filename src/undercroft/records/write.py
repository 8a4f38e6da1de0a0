"""Creating, updating and deleting records: the inside of a write transaction.

A write asks the rule, validates, writes the row and one entry of the change log.
Whatever raises undoes it all; the answer is sent when the transaction is
durable. New files are in the store by then, see `records.filing`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from undercroft.collections.collection import Collection
from undercroft.collections.fields.autodate import AutodateField
from undercroft.database.changes import Change, append_change
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction, UniqueViolation, Value
from undercroft.database.statements import forget_ways_in
from undercroft.dates import now
from undercroft.errors import BadRequest, FieldError, Invalid, NotFound
from undercroft.files.keys import BadKey
from undercroft.files.ledger import doom_files, keep_files
from undercroft.files.tus_state import drop_upload
from undercroft.records.access import Access
from undercroft.records.accounts import keep_a_superuser, new_token_key
from undercroft.records.cascade import Cascade, ReferenceRequired
from undercroft.records.cipher import written_columns
from undercroft.records.draft import Draft, refusal
from undercroft.records.judge import Begun, begin_create, begin_update, find_errors, refuse_view
from undercroft.records.log import Entry, log_change
from undercroft.records.prepare import Prepared
from undercroft.records.read import guard
from undercroft.records.record import find_record
from undercroft.records.rules import satisfies
from undercroft.records.unit import Steps, Unit
from undercroft.records.validate import NOT_UNIQUE

UPLOAD_USED: Final = FieldError("validation_upload_used", "The upload was used for another file in the meantime.")
_STAY_FACTORS: Final = """"method" IN ('password', 'otp', 'magicLink')"""


class DeleteRefused(BadRequest):
    """A required relation of another record points to this one."""

    code = "delete_refused"
    default = "Failed to delete record. Make sure that the record is not part of a required relation reference."


@dataclass(slots=True)
class Writer:
    """One write transaction and what it works with. `access.run` is the transaction's.

    There is a `unit` where hooks have to do with what is written. `half` is the half of a log-in that goes on with it:
    it stays where others end, and so do links to providers, if it is by one of them.
    """

    access: Access
    transaction: Transaction
    unit: Unit | None = None
    half: str = ""

    async def create(self, collection: Collection, prepared: Prepared) -> Draft:
        """Store a new record, and return it as it was stored.

        Raises `SuperusersOnly`, `CreateRefused` and `Invalid`.
        """
        begun = await begin_create(self.access, collection, prepared)
        await self._write(begun, partial(self._store_new, begun.draft, prepared))
        return begun.draft

    async def update(self, collection: Collection, record_id: str, prepared: Prepared) -> Draft:
        """Change a record, and return it as it was stored.

        Raises `SuperusersOnly`, `NotFound`, `Invalid` and `ChangedMeanwhile`.
        """
        begun = await begin_update(self.access, collection, record_id, prepared)
        await self._write(begun, partial(self._store_changed, begun.draft, prepared))
        return begun.draft

    async def delete(self, collection: Collection, record_id: str) -> None:
        """Remove a record and what hangs on it. Raises `SuperusersOnly`, `NotFound` and `DeleteRefused`."""
        refuse_view(collection)
        rule = guard("delete", collection, self.access.scope)
        before = await find_record(self.access.run, self.access.dialect, collection, {"id": record_id})
        if before is None or (rule is not None and not await satisfies(self.access, collection, rule, record_id)):
            raise NotFound
        await self.remove(collection, before)

    async def remove(self, collection: Collection, record: Mapping[str, Any]) -> None:
        """Remove a stored record, whatever any rule says. Raises `DeleteRefused` and `LastSuperuser`."""
        await keep_a_superuser(self.access.run, self.access.dialect, collection, record["id"])
        cascade = Cascade(self.access, self.transaction, self)
        try:
            await cascade.delete(collection, record)
        except ReferenceRequired as error:
            raise DeleteRefused from error
        await doom_files(self.transaction, self.access.dialect, cascade.files)

    def asking(self, access: Access) -> Writer:
        """A writer in the same transaction, for another caller."""
        return Writer(access, self.transaction, self.unit)

    async def _write(self, begun: Begun, store: Callable[[], Awaitable[None]]) -> None:
        """Check what was begun and store it, with the hooks that have to do with it."""
        if self.unit is not None:
            steps = Steps(partial(find_errors, self.access, begun), store, refusal(begun.draft))
            await self.unit.write(self, begun.draft, steps)
            return
        if errors := await find_errors(self.access, begun):
            raise Invalid(errors, refusal(begun.draft))
        await store()

    async def _store_new(self, draft: Draft, prepared: Prepared) -> None:
        collection = draft.collection
        await self._insert(draft)
        await self._use_up(draft, "Failed to create record.")
        await self._file(draft, prepared)
        await log_change(self.transaction, self.access.dialect, Entry(collection, draft.values, "create"))

    async def _store_changed(self, draft: Draft, prepared: Prepared) -> None:
        collection = draft.collection
        await self._forget_stranger(draft)
        await self._update(draft)
        await self._forget_old_ways(draft)
        await self._use_up(draft, "Failed to update record.")
        await self._file(draft, prepared)
        await log_change(self.transaction, self.access.dialect, Entry(collection, draft.values, "update"))

    async def _insert(self, draft: Draft) -> None:
        collection, access = draft.collection, self.access
        sql = access.plans.text(
            ("insert", access.catalog.version, collection.id), lambda: _insert_sql(access, collection)
        )
        try:
            stored = await written_columns(self.transaction, access.dialect, draft)
            await access.run(sql, list(stored.values()))
        except UniqueViolation as error:
            raise _not_unique(error, draft, access.dialect, "Failed to create record.") from error

    async def _update(self, draft: Draft) -> None:
        collection, access, before = draft.collection, self.access, draft.before or {}
        moment = now()
        for stamp in collection.fields:
            if isinstance(stamp, AutodateField) and stamp.on_update:
                draft.values[stamp.name] = moment
        changed = await written_columns(self.transaction, access.dialect, draft)
        if not changed:
            return
        names = tuple(changed)
        key = ("update", access.catalog.version, collection.id, names)
        sql = access.plans.text(key, lambda: _update_sql(access, collection, names))
        try:
            await access.run(sql, [*changed.values(), before["id"]])
        except UniqueViolation as error:
            raise _not_unique(error, draft, access.dialect, "Failed to update record.") from error

    async def _file(self, draft: Draft, prepared: Prepared) -> None:
        """Let the new files stay that the record names; what it names no more goes after the commit."""
        collection = draft.collection
        if not collection.file_fields:
            return
        folder = f"{collection.id}/{draft.values['id']}"
        now_named = {f"{folder}/{name}" for name in _file_names(collection, draft.values)}
        before = {f"{folder}/{name}" for name in _file_names(collection, draft.before or {})}
        put = {each.key for each in prepared.placed}
        if now_named - before - put:
            raise BadKey(min(now_named - before - put))
        await keep_files(self.transaction, self.access.dialect, sorted(put & now_named))
        await doom_files(self.transaction, self.access.dialect, sorted((before | put) - now_named))

    async def _use_up(self, draft: Draft, text: str) -> None:
        """Forget the resumable uploads that files came by, so that each makes one file."""
        for file in draft.new_files:
            upload_id = file.upload.resumable
            if upload_id and not await drop_upload(self.transaction, self.access.dialect, upload_id):
                fields = [f.name for f in draft.collection.file_fields if file.name in f.to_list(draft.values[f.name])]
                raise Invalid(dict.fromkeys(fields, UPLOAD_USED), text)

    async def _forget_old_ways(self, draft: Draft) -> None:
        """With a new password it is forgotten from where an account logged in with the old one.

        With another token key, which a new address brings as well, no code and no half of a log-in counts any more. But
        who proves an address, where the password stays a factor, may be in the middle of a log-in with it, or with
        another letter; a provider or a passkey from before may be somebody else's.
        """
        if not draft.collection.is_auth:
            return
        before, after = draft.before or {}, draft.values
        has_new_password = after["password"] != before["password"]
        if has_new_password:
            await self._forget("_authOrigins", draft)
        if after["tokenKey"] != before["tokenKey"]:
            await self._forget("_otps", draft)
            is_proof = after["verified"] and not before["verified"] and after["email"] == before["email"]
            if is_proof and not has_new_password:
                await self._forget("_mfas", draft, f'{_STAY_FACTORS} OR "id" = {self._mark(3)}', self.half)
            else:
                await self._forget("_mfas", draft)

    def _mark(self, number: int) -> str:
        return self.access.dialect.placeholder(number)

    async def _forget(self, name: str, draft: Draft, but: str = "", *values: Value) -> bool:
        """Delete what a collection of the server's own keeps about an account, but for some; whether there was any."""
        home = self.access.catalog.by_name(name)
        if home is None:
            return False
        quote = self.access.dialect.quote
        owner = f'"collectionRef" = {self._mark(1)} AND "recordRef" = {self._mark(2)}'
        others = f" AND NOT ({but})" if but else ""
        sql = f'DELETE FROM {quote(home.name)} WHERE {owner}{others} RETURNING "id"'
        kept = await self.access.run(sql, (draft.collection.id, draft.values["id"], *values))
        for (kept_id,) in kept:
            change = Change("record", home.id, str(kept_id), "delete")
            await append_change(self.transaction, self.access.dialect, change)
        return bool(kept)

    async def _came_by_provider(self, draft: Draft) -> bool:
        """Whether the half of a log-in that goes on is the account's, by a provider."""
        home = self.access.catalog.by_name("_mfas") if self.half else None
        where = {
            "id": self.half,
            "collectionRef": draft.collection.id,
            "recordRef": draft.values["id"],
            "method": "oauth2",
        }
        return home is not None and await find_record(self.access.run, self.access.dialect, home, where) is not None

    async def _forget_stranger(self, draft: Draft) -> None:
        """What came before the address was proven may be somebody else's: no link of theirs stays, nor a key."""
        before, values = draft.before or {}, draft.values
        if not draft.collection.is_auth or before["verified"] or not values["verified"]:
            return
        had_links = not await self._came_by_provider(draft) and await self._forget("_externalAuths", draft)
        if had_links and values["tokenKey"] == before["tokenKey"]:
            values["tokenKey"] = new_token_key()
        if values["password"] != before["password"]:
            await forget_ways_in(self.access.run, self.access.dialect, draft.collection.id, before["id"])


def _insert_sql(access: Access, collection: Collection) -> str:
    quote, placeholder = access.dialect.quote, access.dialect.placeholder
    names = ", ".join(quote(column.name) for column in collection.columns)
    marks = ", ".join(placeholder(n) for n, _ in enumerate(collection.columns, 1))
    return f"INSERT INTO {quote(collection.name)} ({names}) VALUES ({marks})"


def _update_sql(access: Access, collection: Collection, names: tuple[str, ...]) -> str:
    quote, placeholder = access.dialect.quote, access.dialect.placeholder
    sets = ", ".join(f"{quote(name)} = {placeholder(n)}" for n, name in enumerate(names, 1))
    return f"UPDATE {quote(collection.name)} SET {sets} WHERE {quote('id')} = {placeholder(len(names) + 1)}"


def _not_unique(error: UniqueViolation, draft: Draft, dialect: Dialect, text: str) -> Invalid:
    columns = draft.collection.columns
    known = [column.field.name for column in columns if dialect.stored_name(column.name) in error.columns]
    return Invalid(dict.fromkeys(known, NOT_UNIQUE), text)


def _file_names(collection: Collection, values: Mapping[str, Any]) -> set[str]:
    from_fields = (f.to_list(values[f.name]) for f in collection.file_fields if f.name in values)
    return {name for names in from_fields for name in names}
