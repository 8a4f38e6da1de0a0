"""Importing definitions: many collections at once, all or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.fields.registry import BadDefinition, dump_field
from undercroft.collections.prepare import prepare_change, prepare_new
from undercroft.errors import FieldError, Invalid, Problem


class ImportFailed(Invalid):
    """A collection of the import cannot be saved; nothing was changed."""

    code = "import_failed"

    def __init__(self, reason: str) -> None:
        error = FieldError("validation_collections_import_failure", reason)
        super().__init__({"collections": error}, "Failed to import collections.")


class Pair(msgspec.Struct, frozen=True):
    """A collection of the import as it stands, if it does, and as it is to be."""

    old: Collection | None
    new: Collection


class ImportPlan(msgspec.Struct, frozen=True):
    """What an import comes to: collections to remove, tables to put, and views, which come last."""

    removed: tuple[Collection, ...]
    tables: tuple[Pair, ...]
    views: tuple[Pair, ...]


def plan_import(items: Sequence[Mapping[str, Any]], catalog: Catalog, *, delete_missing: bool) -> ImportPlan:
    """What an import comes to in a catalog. Raises `ImportFailed`."""
    pairs: list[Pair] = []
    known = catalog
    for item in items:
        pair = _pair(item, _match(item, catalog), known, delete_missing=delete_missing)
        if any(other.new.id == pair.new.id for other in pairs):
            raise ImportFailed(f'The collection "{pair.new.name}" ({pair.new.id}) is listed twice.')
        pairs.append(pair)
        known = known.put(pair.new)
    wanted = {pair.new.id for pair in pairs}
    gone = [c for c in catalog if delete_missing and not c.system and c.id not in wanted]
    return ImportPlan(
        removed=tuple(sorted(gone, key=lambda collection: not collection.is_view)),
        tables=tuple(pair for pair in pairs if not pair.new.is_view),
        views=tuple(pair for pair in pairs if pair.new.is_view),
    )


def refused(collection: Collection, errors: Mapping[str, Any]) -> ImportFailed:
    """The failure of an import because of one collection."""
    lines = msgspec.json.format(msgspec.json.encode(_texts(errors)), indent=2).decode()
    return ImportFailed(f'Data validations failed for collection "{collection.name}" ({collection.id}):\n{lines}')


def _pair(item: Mapping[str, Any], old: Collection | None, catalog: Catalog, *, delete_missing: bool) -> Pair:
    try:
        if old is None:
            return Pair(None, prepare_new(item, catalog))
        return Pair(old, prepare_change(old, _over(old, item, delete_missing=delete_missing)))
    except Problem as error:
        raise ImportFailed(f"Failed to import the collections configuration. Raw error:\n{error.message()}") from error


def _match(item: Mapping[str, Any], catalog: Catalog) -> Collection | None:
    """The collection with the id of the item, else with its name."""
    by_id = catalog.find(str(item.get("id") or ""))
    if by_id is not None and by_id.id == item.get("id"):
        return by_id
    return catalog.by_name(str(item.get("name") or ""))


def _over(old: Collection, item: Mapping[str, Any], *, delete_missing: bool) -> dict[str, Any]:
    """The item as a change: its fields, then those of the collection that it does not name and that stay."""
    plain = {key: value for key, value in item.items() if key != "fields"} | {"id": old.id}
    given = [_identified(old, field) for field in item.get("fields") or ()]
    if old.is_view or not (given or delete_missing):
        return plain
    ids = {field.get("id") for field in given}
    kept = [field for field in old.fields if field.id not in ids and (field.system or not delete_missing)]
    return plain | {"fields": [*given, *map(dump_field, kept)]}


def _identified(old: Collection, field: Any) -> dict[str, Any]:
    """A field of the item; without an id it is the stored one of that name."""
    if not isinstance(field, dict):
        raise BadDefinition
    stored = old.by_name.get(field.get("name", ""))
    return field if field.get("id") or stored is None else {**field, "id": stored.id}


def _texts(errors: Any) -> Any:
    if isinstance(errors, FieldError):
        return errors.message
    return {key: _texts(error) for key, error in errors.items()}
