"""The keys of people and tenants that the values of a record are sealed with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from undercroft.collections.cipher import cipher_of, subject_scope
from undercroft.collections.collection import Collection
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction
from undercroft.encryption.subjects import SubjectKey
from undercroft.errors import FieldError, Invalid
from undercroft.keys.subjects import SubjectErased
from undercroft.records.draft import Draft, refusal

Held = Mapping[str, SubjectKey]
"""The keys by the names of the fields whose values they seal."""
NOBODY: Final[Held] = {}


def rewritten(draft: Draft) -> frozenset[str]:
    """The fields that a draft writes: those that change, and those whose values are somebody else's now.

    Where a record is left to nobody its values stay as they are sealed, and go with whose they were.
    """
    before, values, collection = draft.before, draft.values, draft.collection
    if before is None:
        return frozenset(collection.by_name)
    changed = {name for name in collection.by_name if values[name] != before[name]}
    moved = {name for name, owner in collection.owners.items() if owner.name in changed and values[owner.name]}
    return frozenset(changed | moved)


async def hold_subjects(tx: Transaction, dialect: Dialect, draft: Draft, names: frozenset[str]) -> Held:
    """The keys for what is written of a draft, made for those who have none yet.

    Raises `Invalid` for a value of nobody, and of somebody who was erased.
    """
    collection = draft.collection
    if not collection.owners:
        return NOBODY
    held: dict[str, SubjectKey] = {}
    errors: dict[str, FieldError] = {}
    for name, scope in _scopes(collection, draft.values, names).items():
        try:
            if scope:
                held[name] = await cipher_of(collection).keys.hold_subject(tx, dialect, scope)
            else:
                errors[name] = _missing(collection.owners[name].name)
        except SubjectErased as erased:
            errors[name] = FieldError("validation_subject_erased", erased.message())
    if errors:
        raise Invalid(errors, refusal(draft))
    return held


async def find_subjects(tx: Transaction, collection: Collection, values: Mapping[str, Any]) -> Held | None:
    """The keys for the values of a record, made for nobody; None where one of them cannot be had."""
    held: dict[str, SubjectKey] = {}
    for name, scope in _scopes(collection, values, frozenset(collection.by_name)).items():
        found = await cipher_of(collection).keys.find_subject(tx.run, scope)
        if found is None:
            return None
        held[name] = found
    return held


def _scopes(collection: Collection, values: Mapping[str, Any], names: frozenset[str]) -> dict[str, str]:
    """For fields with values, by name: the scope of the key of whoever they are of; empty for nobody."""
    scopes: dict[str, str] = {}
    for name, owner in collection.owners.items():
        if name in names and values[name] != collection.by_name[name].zero:
            value = str(values[owner.name])
            scopes[name] = subject_scope(collection, owner, value) if value else ""
    return scopes


def _missing(owner: str) -> FieldError:
    text = f"It is encrypted with a key of whoever {owner} names, and that is nobody."
    return FieldError("validation_subject_missing", text, {"field": owner})
