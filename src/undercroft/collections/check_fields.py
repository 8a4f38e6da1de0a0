"""May these fields be saved?"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from undercroft.collections.change import Change
from undercroft.collections.check_encrypted import check_encrypted
from undercroft.collections.fields.base import Field, OptionContext
from undercroft.collections.fields.checks import drop_empty, length_error, matches
from undercroft.collections.fields.text import TextField
from undercroft.errors import REQUIRED, FieldError

_RESERVED: Final = ("null", "true", "false", "_rowid_", "collectionId", "collectionName", "expand")
_RESERVED_IN_AUTH: Final = ("passwordconfirm", "oldpassword")
_NO_ID = FieldError("validation_missing_primary_key", 'Missing or invalid "id" PK field.')
_SYSTEM = FieldError("validation_system_field_change", "System fields cannot be deleted or renamed.")
_TYPE_FIXED = FieldError("validation_field_type_change", "Field type cannot be changed.")
_TWO_IDS = FieldError(
    "validation_unsupported_composite_pk", "Composite PKs are not supported and the collection must have only 1 PK."
)
_FORMAT = FieldError("validation_match_invalid", "Must be in a valid format.")
_NOT_ALLOWED = FieldError("validation_not_in_invalid", "Must not be in list.")
_VIA = FieldError("validation_found_via", 'The value cannot contain "_via_".')
_RESERVED_NAME = FieldError("validation_reserved_field_name", "The field name is reserved and cannot be used.")


def check_fields(change: Change) -> FieldError | dict[str, Any] | None:
    """What is wrong with the fields: of the list as a whole, or by position in it."""
    fields = change.new.fields
    if not fields:
        return REQUIRED
    if not any(field.name == "id" and isinstance(field, TextField) for field in fields):
        return _NO_ID
    if _loses_system_field(change):
        return _SYSTEM
    errors = {str(n): _check_field(change, field) for n, field in enumerate(fields)}
    return drop_empty(_with_name_clashes(_with_second_ids(errors, fields), fields))


def _loses_system_field(change: Change) -> bool:
    if change.old is None or change.new.is_view:
        return False
    kept = {field.id: field.name for field in change.new.fields}
    return any(field.system and kept.get(field.id) != field.name for field in change.old.fields)


def _check_field(change: Change, field: Field) -> FieldError | dict[str, Any]:
    before = change.old.by_id.get(field.id) if change.old else None
    if before is not None and before.type != field.type and not change.new.is_view:
        return _TYPE_FIXED
    context = OptionContext(_finder(change), change.new, before)
    common = {"id": length_error(field.id, 1, 100), "name": _check_name(change, field), "help": _check_help(field)}
    if change.new.is_view:
        return drop_empty(common)
    own = {**field.check_options(), **field.check_links(context)}
    return {**own, **drop_empty({**common, "encrypted": check_encrypted(change, field)})}


def _finder(change: Change) -> Any:
    known = {collection.id: collection for collection in change.catalog}
    return known.get


def _check_name(change: Change, field: Field) -> FieldError | None:
    name = field.name
    if not name:
        return REQUIRED
    if error := length_error(name, 1, 100):
        return error
    if not matches(r"^\w+$", name):
        return _FORMAT
    if "_via_" in name.lower():
        return _VIA
    if name in _RESERVED:
        return _NOT_ALLOWED
    return _RESERVED_NAME if change.new.is_auth and name.lower() in _RESERVED_IN_AUTH else None


def _check_help(field: Field) -> FieldError | None:
    text = getattr(field, "help", "")
    return length_error(text, 1, 300) if text else None


def _with_second_ids(errors: dict[str, Any], fields: tuple[Field, ...]) -> dict[str, Any]:
    """Two fields marked as the primary key are both wrong."""
    keys = [str(n) for n, field in enumerate(fields) if isinstance(field, TextField) and field.primary_key]
    if len(keys) < 2:
        return errors
    return errors | {key: _also(errors[key], "primaryKey", _TWO_IDS) for key in keys}


def _with_name_clashes(errors: dict[str, Any], fields: tuple[Field, ...]) -> dict[str, Any]:
    """A field with the name of an earlier one is wrong, whatever the letter case."""
    seen: Counter[str] = Counter()
    clashes = {}
    for n, field in enumerate(fields):
        seen[field.name.lower()] += 1
        if field.name and seen[field.name.lower()] > 1:
            text = f"Duplicated or invalid field name {field.name}."
            clash = FieldError("validation_duplicated_field_name", text, {"fieldName": field.name})
            clashes[str(n)] = _also(errors[str(n)], "name", clash)
    return errors | clashes


def _also(errors: Any, key: str, error: FieldError) -> Any:
    return errors if isinstance(errors, FieldError) else {**errors, key: error}
