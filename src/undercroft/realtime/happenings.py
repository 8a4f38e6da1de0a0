"""What happened, by an entry of the change log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.changes import LoggedChange
from undercroft.database.engine import Engine, Value
from undercroft.query.selects import SECRET_FIELDS
from undercroft.realtime.judge import Happening
from undercroft.records.record import find_record


async def happening_of(
    engine: Engine, catalog: Catalog, entry: LoggedChange, *, as_it_is_now: bool = False
) -> Happening | None:
    """The change of an entry, with the record as it was then, or as it is now; None when nobody can say.

    Without columns it is of a record that is gone since, of which nothing is told but its end.
    """
    change = entry.change
    collection = catalog.collection(change.collection)
    is_end = change.action == "delete"
    kept = _columns(collection, entry.row) if is_end or not as_it_is_now else None
    if kept is not None or is_end:
        return None if kept is None else Happening(entry.id, collection, change.record, change.action, kept)
    found = await _find(engine, collection, change.record)
    return Happening(entry.id, collection, change.record, change.action, found or {}, is_read_now=True)


def _columns(collection: Collection, text: str) -> Mapping[str, Value] | None:
    """The columns that an entry kept; None when it kept none, or the collection has others since."""
    if not text:
        return None
    kept: dict[str, Value] = msgspec.json.decode(text)
    for name in SECRET_FIELDS if collection.is_auth else ():
        kept[name] = ""
    names = collection.by_name
    return {name: kept[name] for name in names} if names.keys() <= kept.keys() else None


async def _find(engine: Engine, collection: Collection, record_id: str) -> Mapping[str, Value] | None:
    found = await find_record(engine.read, engine.dialect, collection, {"id": record_id})
    return None if found is None else _stored(collection, found)


def _stored(collection: Collection, record: Mapping[str, Any]) -> Mapping[str, Value]:
    return {field.name: field.to_column(record[field.name]) for field in collection.fields}
