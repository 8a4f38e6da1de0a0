"""Creating, updating and deleting records: the inside of a write transaction.

A write asks the rule, validates, writes the row and one entry of the change log.
Whatever raises undoes it all; the answer is sent when the transaction is
durable. Files move from staging to their record inside, and are put back out by
`undo` when the transaction fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from undercroft.collections.collection import Collection
from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.fields.text import TextField
from undercroft.database.changes import Change, ChangeAction, append_change
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction, UniqueViolation
from undercroft.dates import now
from undercroft.errors import BadRequest, FieldError, Invalid, NotFound
from undercroft.files.intake import LocalIntake
from undercroft.ids import record_id as new_id
from undercroft.records.access import Access
from undercroft.records.accounts import find_taken_id, keep_a_superuser
from undercroft.records.attachments import NewFile
from undercroft.records.cascade import Cascade, ReferenceRequired
from undercroft.records.draft import Draft, make_draft
from undercroft.records.prepare import Prepared, scope_with_body
from undercroft.records.read import guard
from undercroft.records.record import find_record
from undercroft.records.rules import draft_satisfies, satisfies
from undercroft.records.validate import NOT_UNIQUE, validate


class ViewIsReadOnly(BadRequest):
    """Records of a view cannot be written."""

    code = "view_is_read_only"
    default = "Unsupported collection type."


class CreateRefused(BadRequest):
    """The create rule does not allow the record."""

    code = "create_refused"
    default = "Failed to create record."


class DeleteRefused(BadRequest):
    """A required relation of another record points to this one."""

    code = "delete_refused"
    default = "Failed to delete record. Make sure that the record is not part of a required relation reference."


class ChangedMeanwhile(BadRequest):
    """The account was changed by somebody else between reading it and writing it."""

    code = "changed_meanwhile"
    default = "The record was changed in the meantime. Try again."


@dataclass(slots=True)
class Writer:
    """One write transaction and what it works with. `access.run` is the transaction's."""

    access: Access
    transaction: Transaction
    files: LocalIntake
    attached: list[tuple[str, str, str]] = field(default_factory=list)

    async def create(self, collection: Collection, prepared: Prepared) -> Draft:
        """Store a new record, and return it as it was stored.

        Raises `SuperusersOnly`, `CreateRefused` and `Invalid`.
        """
        refuse_view(collection)
        rule = guard("create", collection, self.access.scope)
        draft = make_draft(collection, None, prepared.submission, is_superuser=self.access.scope.is_superuser)
        plains = _hide_passwords(draft, prepared)
        if rule is not None and not await self._may_create(draft, rule):
            raise CreateRefused
        _apply_account(draft, prepared, "Failed to create record.")
        _generate(draft)
        errors = await validate(self.access, draft, plains)
        if collection.is_auth and "id" not in errors:
            errors |= await self._taken_id(collection, draft)
        if errors:
            raise Invalid(errors, "Failed to create record.")
        await self._insert(draft)
        record_id: str = draft.values["id"]
        self._attach(draft, record_id)
        await self._log(collection, record_id, "create")
        return draft

    async def update(self, collection: Collection, record_id: str, prepared: Prepared) -> Draft:
        """Change a record, and return it as it was stored.

        Raises `SuperusersOnly`, `NotFound`, `Invalid` and `ChangedMeanwhile`.
        """
        refuse_view(collection)
        rule = guard("update", collection, self.access.scope)
        before = await find_record(self.access.run, self.access.dialect, collection, {"id": record_id})
        if before is None:
            raise NotFound
        draft = make_draft(collection, before, prepared.submission, is_superuser=self.access.scope.is_superuser)
        plains = _hide_passwords(draft, prepared)
        if rule is not None and not await self._may_update(draft, rule, record_id):
            raise NotFound
        if prepared.was_missing:
            raise ChangedMeanwhile
        _apply_account(draft, prepared, "Failed to update record.")
        errors = await validate(self.access, draft, plains)
        if errors:
            raise Invalid(errors, "Failed to update record.")
        await self._update(draft)
        self._attach(draft, record_id)
        await self._log(collection, record_id, "update")
        return draft

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
        cascade = Cascade(self.access, self.transaction)
        try:
            await cascade.delete(collection, record)
        except ReferenceRequired as error:
            raise DeleteRefused from error
        gone = cascade.files
        self.transaction.after_commit(lambda: _remove_files(self.files, gone))

    def undo(self) -> None:
        """Take files back out that were attached in a transaction that failed."""
        for collection_id, record_id, name in self.attached:
            self.files.remove(collection_id, record_id, [name])

    async def _may_create(self, draft: Draft, rule: str) -> bool:
        access = self.access.asking(scope_with_body(self.access, draft))
        return await draft_satisfies(access, draft.collection, rule, _rule_columns(draft))

    async def _may_update(self, draft: Draft, rule: str, record_id: str) -> bool:
        access = self.access.asking(scope_with_body(self.access, draft))
        return await satisfies(access, draft.collection, rule, record_id)

    async def _taken_id(self, collection: Collection, draft: Draft) -> dict[str, FieldError]:
        access = self.access
        return await find_taken_id(access.run, access.dialect, access.catalog, collection, draft.values["id"])

    async def _insert(self, draft: Draft) -> None:
        collection, access = draft.collection, self.access
        sql = access.plans.text(
            ("insert", access.catalog.version, collection.id), lambda: _insert_sql(access, collection)
        )
        try:
            await access.run(sql, list(draft.columns().values()))
        except UniqueViolation as error:
            raise _not_unique(error, draft, access.dialect, "Failed to create record.") from error

    async def _update(self, draft: Draft) -> None:
        collection, access, before = draft.collection, self.access, draft.before or {}
        moment = now()
        for stamp in collection.fields:
            if isinstance(stamp, AutodateField) and stamp.on_update:
                draft.values[stamp.name] = moment
        changed = [f for f in collection.fields if draft.values[f.name] != before[f.name]]
        if not changed:
            return
        names = tuple(f.name for f in changed)
        key = ("update", access.catalog.version, collection.id, names)
        sql = access.plans.text(key, lambda: _update_sql(access, collection, names))
        try:
            await access.run(sql, [*(f.to_column(draft.values[f.name]) for f in changed), before["id"]])
        except UniqueViolation as error:
            raise _not_unique(error, draft, access.dialect, "Failed to update record.") from error

    def _attach(self, draft: Draft, record_id: str) -> None:
        """Move new files to the record; the names it no longer holds go after the commit."""
        collection, files = draft.collection, self.files
        if not collection.file_fields:
            return
        kept = _file_names(draft.collection, draft.values)
        for file in draft.new_files:
            if file.name in kept:
                files.attach(collection.id, record_id, file.name, file.staged)
                self.attached.append((collection.id, record_id, file.name))
        dropped = _file_names(collection, draft.before or {}) - kept
        if dropped:
            self.transaction.after_commit(lambda: files.remove(collection.id, record_id, dropped))

    async def _log(self, collection: Collection, record_id: str, action: ChangeAction) -> None:
        await append_change(self.transaction, self.access.dialect, Change("record", collection.id, record_id, action))


def refuse_view(collection: Collection) -> None:
    """Raise `ViewIsReadOnly` for a view."""
    if collection.is_view:
        raise ViewIsReadOnly


def discard_staged(files: LocalIntake, staged: Mapping[str, Any] | list[NewFile]) -> None:
    """Drop what is still in staging."""
    files.discard(file.staged for file in staged if isinstance(file, NewFile))


def _hide_passwords(draft: Draft, prepared: Prepared) -> dict[str, str]:
    """Put hashes in place of plain passwords; the plain ones that were submitted."""
    plains: dict[str, str] = {}
    if not draft.collection.has_passwords:
        return plains
    for secret in draft.collection.fields:
        if isinstance(secret, PasswordField) and secret.name in draft.changed:
            plains[secret.name] = draft.values[secret.name]
            draft.values[secret.name] = prepared.hashes.get(secret.name, "")
    return plains


def _rule_columns(draft: Draft) -> dict[str, Any]:
    columns = draft.columns()
    columns["id"] = columns["id"] or new_id()
    if draft.collection.is_auth:
        columns["verified"] = 0
    return columns


def _apply_account(draft: Draft, prepared: Prepared, text: str) -> None:
    account = prepared.account
    if account is None:
        return
    if account.errors:
        raise Invalid(account.errors, text)
    if _standing(draft.before) != _standing(account.before):
        raise ChangedMeanwhile
    draft.values.update(account.changes)
    for name in account.dropped:
        draft.values[name] = draft.before[name] if draft.before else draft.collection.by_name[name].zero


def _standing(record: Mapping[str, Any] | None) -> Any:
    """What an account was judged by, as far as it may have changed since; None when there was none."""
    return record and [record[name] for name in ("tokenKey", "email", "verified")]


def _generate(draft: Draft) -> None:
    """Fill what the server makes for a new record: its id, generated texts, dates."""
    moment = now()
    for target in draft.collection.fields:
        if isinstance(target, TextField) and not draft.values[target.name]:
            draft.values[target.name] = target.generate()
        elif isinstance(target, AutodateField):
            draft.values[target.name] = moment if target.on_create else ""


def _insert_sql(access: Access, collection: Collection) -> str:
    quote, placeholder = access.dialect.quote, access.dialect.placeholder
    names = ", ".join(quote(f.name) for f in collection.fields)
    marks = ", ".join(placeholder(n) for n, _ in enumerate(collection.fields, 1))
    return f"INSERT INTO {quote(collection.name)} ({names}) VALUES ({marks})"


def _update_sql(access: Access, collection: Collection, names: tuple[str, ...]) -> str:
    quote, placeholder = access.dialect.quote, access.dialect.placeholder
    sets = ", ".join(f"{quote(name)} = {placeholder(n)}" for n, name in enumerate(names, 1))
    return f"UPDATE {quote(collection.name)} SET {sets} WHERE {quote('id')} = {placeholder(len(names) + 1)}"


def _not_unique(error: UniqueViolation, draft: Draft, dialect: Dialect, text: str) -> Invalid:
    known = [name for name in draft.collection.by_name if dialect.stored_name(name) in error.columns]
    return Invalid(dict.fromkeys(known, NOT_UNIQUE), text)


def _file_names(collection: Collection, values: Mapping[str, Any]) -> set[str]:
    from_fields = (f.to_list(values[f.name]) for f in collection.file_fields if f.name in values)
    return {name for names in from_fields for name in names}


def _remove_files(files: LocalIntake, gone: list[tuple[str, str, list[str]]]) -> None:
    for collection_id, record_id, names in gone:
        files.remove(collection_id, record_id, names)
