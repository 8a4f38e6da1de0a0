"""Whether a write may happen, and what it would store: the rule is asked, then the values are checked.

A write is judged inside its transaction. One that brings files is also judged before, so
that nothing is put into the store for a write that will be refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from undercroft.collections.collection import Collection
from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.fields.text import TextField
from undercroft.dates import now
from undercroft.errors import BadRequest, FieldError, Invalid, NotFound
from undercroft.ids import record_id as new_id
from undercroft.records.access import Access
from undercroft.records.accounts import find_taken_id
from undercroft.records.draft import Draft, make_draft, refusal
from undercroft.records.prepare import Prepared, may_update, scope_with_body
from undercroft.records.read import guard
from undercroft.records.record import find_record
from undercroft.records.rules import draft_satisfies
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


@dataclass(frozen=True, slots=True)
class Begun:
    """A write that the rule allows: what it would store, and the submitted passwords before hashing."""

    draft: Draft
    plains: Mapping[str, str]


async def judge(
    access: Access, collection: Collection, record_id: str | None, prepared: Prepared, *, checks: bool = True
) -> None:
    """Return if a create (`record_id` None) or an update may be; without `checks` only the rule is asked.

    Raises `SuperusersOnly`, `CreateRefused`, `NotFound`, `Invalid` and `ChangedMeanwhile`.
    """
    if record_id is None:
        begun = await begin_create(access, collection, prepared)
    else:
        begun = await begin_update(access, collection, record_id, prepared)
    if checks and (errors := await find_errors(access, begun)):
        raise Invalid(errors, refusal(begun.draft))


async def begin_create(access: Access, collection: Collection, prepared: Prepared) -> Begun:
    """What a create would store, unchecked. Raises `SuperusersOnly` and `CreateRefused`; `Invalid` for an account."""
    refuse_view(collection)
    rule = guard("create", collection, access.scope)
    draft = _make_draft(access, collection, None, prepared)
    plains = _hide_passwords(draft, prepared)
    if rule is not None and not await _may_create(access, draft, rule):
        raise CreateRefused
    _apply_account(draft, prepared, "Failed to create record.")
    _generate(draft, prepared.new_id)
    return Begun(draft, plains)


async def begin_update(access: Access, collection: Collection, record_id: str, prepared: Prepared) -> Begun:
    """What an update would store, unchecked.

    Raises `SuperusersOnly`, `NotFound` and `ChangedMeanwhile`; `Invalid` for an account.
    """
    refuse_view(collection)
    rule = guard("update", collection, access.scope)
    before = await find_record(access.run, access.dialect, collection, {"id": record_id})
    if before is None:
        raise NotFound
    draft = _make_draft(access, collection, before, prepared)
    plains = _hide_passwords(draft, prepared)
    if rule is not None and not await may_update(access, draft, rule):
        raise NotFound
    if prepared.was_missing:
        raise ChangedMeanwhile
    _apply_account(draft, prepared, "Failed to update record.")
    return Begun(draft, plains)


async def find_errors(access: Access, begun: Begun) -> dict[str, FieldError]:
    """Why the values cannot be stored, by field."""
    draft, collection = begun.draft, begun.draft.collection
    errors = await validate(access, draft, begun.plains)
    if draft.before is None and collection.is_auth and "id" not in errors:
        errors |= await find_taken_id(access.run, access.dialect, access.catalog, collection, draft.values["id"])
    return errors


def _make_draft(access: Access, collection: Collection, before: Mapping[str, Any] | None, prepared: Prepared) -> Draft:
    draft = make_draft(collection, before, prepared.submission, is_superuser=access.scope.is_superuser)
    return replace(draft, errors={**draft.errors, **prepared.refused}) if prepared.refused else draft


async def _may_create(access: Access, draft: Draft, rule: str) -> bool:
    asking = access.asking(scope_with_body(access, draft))
    return await draft_satisfies(asking, draft.collection, rule, _rule_columns(draft))


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
