"""May these indexes be saved? Whether they can be built shows when they are."""

from __future__ import annotations

from typing import Any

from undercroft.collections.change import Change
from undercroft.collections.check_encrypted import check_index
from undercroft.collections.indexes import Index, parse_index, parse_indexes
from undercroft.errors import FieldError

_FOR_TABLES_ONLY = FieldError("validation_indexes_not_supported", "View collections don't support indexes.")
_NO_INDEX = FieldError("validation_invalid_index_expression", "Invalid CREATE INDEX expression.")
_SAME_NAME = FieldError("validation_duplicated_index_name", "The index name already exists.")
_SAME_PARTS = FieldError("validation_duplicated_index_definition", "The index definition already exists.")


def check_indexes(change: Change) -> FieldError | dict[str, Any] | None:
    """What is wrong with the indexes, by position."""
    if change.new.is_view:
        return _FOR_TABLES_ONLY if change.new.indexes else None
    errors: dict[str, Any] = {}
    names: set[str] = set()
    parts: set[Any] = set()
    used = _used_names(change)
    for n, text in enumerate(change.new.indexes):
        index = parse_index(text)
        if error := _check_index(index, names, parts, used) or (index and check_index(change.new, index)):
            errors[str(n)] = error
        if index:
            names.add(index.name.lower())
            parts.add(_parts(index))
    return errors


def build_error(index: Index, reason: str) -> FieldError:
    """The engine could not build an index."""
    text = f"Failed to create index {index.name} - {reason.removesuffix('.')}."
    return FieldError("validation_invalid_index_expression", text)


def _check_index(index: Index | None, names: set[str], parts: set[Any], used: dict[str, str]) -> FieldError | None:
    if index is None:
        return _NO_INDEX
    if index.name.lower() in names:
        return _SAME_NAME
    if owner := used.get(index.name.lower()):
        text = f"The index name is already used in {owner} collection."
        return FieldError("validation_existing_index_name", text, {"usedTableName": owner})
    return _SAME_PARTS if _parts(index) in parts else None


def _parts(index: Index) -> Any:
    columns = tuple((column.name.lower(), column.collate.lower(), column.sort) for column in index.columns)
    return index.is_unique, columns, index.where


def _used_names(change: Change) -> dict[str, str]:
    """Which collection uses an index name, by the name in lower case."""
    return {index.name.lower(): other.name for other in change.others for index in parse_indexes(other.indexes)}
