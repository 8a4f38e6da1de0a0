"""May this definition be saved? Errors by wire name, nested as the definition is."""

from __future__ import annotations

from typing import Any, get_args

from undercroft.collections.catalog import Catalog
from undercroft.collections.change import Change
from undercroft.collections.check_auth import check_auth
from undercroft.collections.check_fields import check_fields
from undercroft.collections.check_indexes import check_indexes
from undercroft.collections.check_rules import check_rules, check_rules_of_others
from undercroft.collections.collection import CollectionType
from undercroft.collections.fields.checks import drop_empty, length_error, matches
from undercroft.errors import REQUIRED, FieldError

_NAME = r"^\w+$"
_BAD_FORMAT = FieldError("validation_match_invalid", "Must be in a valid format.")
ID_TAKEN = FieldError("validation_invalid_or_existing_id", "The model id is invalid or already exists.")
_NAME_TAKEN = FieldError("validation_collection_name_exists", "Collection name must be unique (case insensitive).")
_NAME_IS_ID = FieldError(
    "validation_collection_name_id_duplicate", "The name must not match an existing collection id."
)
_ID_IS_NAME = FieldError(
    "validation_collection_name_id_duplicate", "The id must not match an existing collection name (case insensitive)."
)
_NAME_IS_TABLE = FieldError(
    "validation_collection_name_invalid", "The name shouldn't match with an existing internal table."
)
_NAME_FIXED = FieldError("validation_collection_system_name_change", "System collection name cannot be changed.")
_VIA = FieldError("validation_found_via", 'The value cannot contain "_via_".')
_TYPE_FIXED = FieldError("validation_collection_type_change", "Collection type cannot be changed.")
UNKNOWN_TYPE = FieldError("validation_in_invalid", "Must be a valid value.")
_SYSTEM_FIXED = FieldError("validation_collection_system_flag_change", "System collection state cannot be changed.")


def check_change(change: Change) -> dict[str, Any]:
    """Everything that is wrong with a change; empty when it may be saved."""
    type_error = _check_type(change)
    if type_error:
        return {"type": type_error}
    return drop_empty(
        {
            "id": check_id(change.new.id) or _check_id_is_no_name(change),
            "name": _check_name(change),
            "system": _SYSTEM_FIXED if change.old and change.old.system != change.new.system else None,
            "fields": check_fields(change) or check_rules_of_others(change),
            "indexes": check_indexes(change),
            "viewQuery": _check_view_query(change),
            **check_rules(change),
            **check_auth(change),
        }
    )


def check_id(collection_id: str, catalog: Catalog | None = None) -> FieldError | None:
    """Why a collection cannot have that id, or None. A catalog that is given must not know it yet."""
    if error := length_error(collection_id, 1, 100):
        return error
    if not matches(_NAME, collection_id):
        return _BAD_FORMAT
    return ID_TAKEN if catalog and any(other.id == collection_id for other in catalog) else None


def _check_id_is_no_name(change: Change) -> FieldError | None:
    """A new id that is another collection's name would be found in its place."""
    is_taken = any(other.name.lower() == change.new.id.lower() for other in change.others)
    return _ID_IS_NAME if is_taken and change.old is None else None


def _check_type(change: Change) -> FieldError | None:
    if change.new.type not in get_args(CollectionType):
        return UNKNOWN_TYPE
    return _TYPE_FIXED if change.old and change.old.type != change.new.type else None


def _check_name(change: Change) -> FieldError | None:
    name = change.new.name
    if not name:
        return REQUIRED
    if error := length_error(name, 1, 255):
        return error
    if not matches(_NAME, name):
        return _BAD_FORMAT
    if "_via_" in name.lower():
        return _VIA
    if change.old and change.old.system and change.old.name != name:
        return _NAME_FIXED
    return _check_name_is_free(change)


def _check_name_is_free(change: Change) -> FieldError | None:
    name = change.new.name.lower()
    if any(other.name.lower() == name for other in change.others):
        return _NAME_TAKEN
    if any(other.id.lower() == name for other in change.others):
        return _NAME_IS_ID
    return _NAME_IS_TABLE if name in change.tables else None


def _check_view_query(change: Change) -> FieldError | None:
    if not change.new.is_view:
        return None
    if not change.new.view_query:
        return REQUIRED
    if not change.view_error:
        return None
    return FieldError("validation_invalid_view_query", f"Invalid query - {change.view_error}.")
