"""Whether a draft may be stored: every field by its options, and relations by what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from undercroft.collections.collection import Collection
from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.fields.relation import RelationField
from undercroft.errors import FieldError
from undercroft.records.access import Access
from undercroft.records.attachments import check_new_file
from undercroft.records.draft import Draft

_CHANGED_ID = FieldError("validation_pk_change", "The record primary key cannot be changed.")
_NO_COLLECTION = FieldError(
    "validation_missing_rel_collection", "Relation connection is missing or cannot be accessed."
)
_NO_RECORDS = FieldError("validation_missing_rel_records", "Failed to find all relation records with the provided ids.")
_SPECIAL = frozenset({AutodateField, PasswordField, FileField})
NOT_UNIQUE = FieldError("validation_not_unique", "Value must be unique.")


async def validate(access: Access, draft: Draft, plains: Mapping[str, str]) -> dict[str, FieldError]:
    """Errors by field name. `plains` are the submitted passwords before hashing."""
    errors = dict(draft.errors)
    for field in draft.collection.fields:
        if field.name in errors:
            continue
        error = _check(field, draft, plains)
        if error is None and isinstance(field, RelationField) and _is_new(field, draft):
            error = await _check_related(access, field, draft.values[field.name])
        if error is not None:
            errors[field.name] = error
    return errors


def _check(field: Field, draft: Draft, plains: Mapping[str, str]) -> FieldError | None:
    value = draft.values[field.name]
    if field.name in draft.collection.owners and draft.before is not None and value == draft.before[field.name]:
        return None  # what was erased is empty, whatever the field requires, and the record is to go on all the same
    if field.__class__ not in _SPECIAL and field.name != "id":
        return field.check(value)
    if isinstance(field, AutodateField):
        return None
    if isinstance(field, PasswordField):
        if field.name in plains or draft.before is None:
            return field.check_plain(plains.get(field.name, ""))
        return None
    if isinstance(field, FileField) and field.name in draft.changed:
        return field.check(value) or _check_files(field, draft)
    if field.name == "id" and draft.before is not None:
        return _CHANGED_ID if value != draft.before["id"] else None
    return field.check(value)


def _check_files(field: FileField, draft: Draft) -> FieldError | None:
    names = set(field.to_list(draft.values[field.name]))
    own = (file for file in draft.new_files if file.name in names)
    return next(filter(None, (check_new_file(field, file) for file in own)), None)


def _is_new(field: Field, draft: Draft) -> bool:
    return draft.before is None or draft.before[field.name] != draft.values[field.name]


async def _check_related(access: Access, field: RelationField, value: Any) -> FieldError | None:
    ids = field.to_list(value)
    if not ids:
        return None
    target = access.catalog.find(field.collection_id)
    if target is None:
        return _NO_COLLECTION
    return None if await _count_of(access, target, ids) == len(set(ids)) else _NO_RECORDS


async def _count_of(access: Access, target: Collection, ids: list[str]) -> int:
    dialect = access.dialect
    if len(ids) == 1:
        table, key = dialect.quote(target.name), dialect.quote("id")
        return len(await access.run(f"SELECT 1 FROM {table} WHERE {key} = {dialect.placeholder(1)}", ids))
    sql = access.plans.text(("ids", access.catalog.version, target.id), lambda: dialect.count_ids(target.name))
    rows = await access.run(sql, [msgspec.json.encode(ids).decode()])
    total: Any = rows[0][0]
    return int(total)
