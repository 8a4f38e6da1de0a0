"""Where the fields of a view come from: told by their ids, so that no query needs to be read again."""

from __future__ import annotations

from undercroft import ids
from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field


def clone_id(collection: Collection, field: Field, name: str) -> str:
    """The id of a view's field that shows a field of a collection under a name."""
    return f"_clone_{ids.checksum(f'{collection.id}.{field.id}.{name}')}"


def origin_of(field: Field, catalog: Catalog) -> tuple[Collection, Field] | None:
    """The collection with rows of its own, and its field, that a field of a view shows; None if it shows none."""
    for collection in catalog:
        for shown in collection.fields:
            if shown.type == field.type and clone_id(collection, shown, field.name) == field.id:
                return origin_of(shown, catalog) if collection.is_view else (collection, shown)
    return None
