"""Whether a write may happen, and what it would store: the rule is asked, then the values are checked.

A write is judged inside its transaction. One that brings files is also judged before, so
that nothing is put into the store for a write that will be refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from undercroft.collections.collection import Collection
from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.fields.text import TextField
from undercroft.dates import now
from undercroft.errors import BadRequest, Invalid, NotFound
from undercroft.ids import record_id as new_id
from undercroft.records.access import Access
from undercroft.records.accounts import find_taken_id
from undercroft.records.draft import Draft, make_draft
from undercroft.records.prepare import Prepared, scope_with_body
from undercroft.records.read import guard
from undercroft.records.record import find_record
from undercroft.records.rules import draft_satisfies, satisfies
from undercroft.records.validate import validate


class ViewIsReadOnly(BadRequest):
    """Records of a view cannot be written."""

    code = "view_is_read_only"
    default = "Unsupported collection type."


class CreateRefused(BadRequest):
    """The create rule does not allow the record."""

    code = "create_refused"
    default = "Failed to create record."


class ChangedMeanwhile(BadRequest):
    """The account was changed by somebody else between reading it and writing it."""

    code = "changed_meanwhile"
    default = "The record was changed in the meantime. Try again."


async def judge(access: Access, collection: Collection, record_id: str | None, prepared: Prepared) -> Draft:
    """The record that a create (`record_id` None) or an update would store.

    Raises `SuperusersOnly`, `CreateRefused`, `NotFound`, `Invalid` and `ChangedMeanwhile`.
    """
    if record_id is None:
        return await judge_create(access, collection, prepared)
    return await judge_update(access, collection, record_id, prepared)


async def judge_create(access: Access, collection: Collection, prepared: Prepared) -> Draft:
    """The record that a create would store. Raises `SuperusersOnly`, `CreateRefused` and `Invalid`."""
    refuse_view(collection)
    rule = guard("create", collection, access.scope)
    draft = make_draft(collection, None, prepared.submission, is_superuser=access.scope.is_superuser)
    plains = _hide_passwords(draft, prepared)
    if rule is not None and not await _may_create(access, draft, rule):
        raise CreateRefused
    _apply_account(draft, prepared, "Failed to create record.")
    _generate(draft, prepared.new_id)
    errors = await validate(access, draft, plains)
    if collection.is_auth and "id" not in errors:
        errors |= await find_taken_id(access.run, access.dialect, access.catalog, collection, draft.values["id"])
    if errors:
        raise Invalid(errors, "Failed to create record.")
    return draft


async def judge_update(access: Access, collection: Collection, record_id: str, prepared: Prepared) -> Draft:
    """The record that an update would store. Raises `SuperusersOnly`, `NotFound`, `Invalid`, `ChangedMeanwhile`."""
    refuse_view(collection)
    rule = guard("update", collection, access.scope)
    before = await find_record(access.run, access.dialect, collection, {"id": record_id})
    if before is None:
        raise NotFound
    draft = make_draft(collection, before, prepared.submission, is_superuser=access.scope.is_superuser)
    plains = _hide_passwords(draft, prepared)
    if rule is not None and not await _may_update(access, draft, rule, record_id):
        raise NotFound
    if prepared.was_missing:
        raise ChangedMeanwhile
    _apply_account(draft, prepared, "Failed to update record.")
    errors = await validate(access, draft, plains)
    if errors:
        raise Invalid(errors, "Failed to update record.")
    return draft


async def _may_create(access: Access, draft: Draft, rule: str) -> bool:
    asking = access.asking(scope_with_body(access, draft))
    return await draft_satisfies(asking, draft.collection, rule, _rule_columns(draft))


async def _may_update(access: Access, draft: Draft, rule: str, record_id: str) -> bool:
    asking = access.asking(scope_with_body(access, draft))
    return await satisfies(asking, draft.collection, rule, record_id)


def refuse_view(collection: Collection) -> None:
    """Raise `ViewIsReadOnly` for a view."""
    if collection.is_view:
        raise ViewIsReadOnly


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


def _generate(draft: Draft, known_id: str) -> None:
    """Fill what the server makes for a new record: its id, generated texts, dates."""
    moment = now()
    for target in draft.collection.fields:
        if isinstance(target, TextField) and not draft.values[target.name]:
            draft.values[target.name] = (known_id if target.name == "id" else "") or target.generate()
        elif isinstance(target, AutodateField):
            draft.values[target.name] = moment if target.on_create else ""
