"""What happened, by an entry of the change log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.changes import KeptRow, LoggedChange, parse_row
from undercroft.database.engine import Engine, Value
from undercroft.query.selects import SECRET_FIELDS
from undercroft.realtime.judge import Happening
from undercroft.records.cipher import know_cells, open_cell
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
    kept = parse_row(entry.row) if is_end or not as_it_is_now else None
    columns = await _columns(engine, collection, change.record, kept) if kept else None
    if kept is not None and columns is not None:
        return Happening(entry.id, collection, change.record, change.action, columns, kept.verdicts)
    if is_end:
        return None
    found = await _find(engine, collection, change.record)
    return Happening(entry.id, collection, change.record, change.action, found or {}, is_read_now=True)


async def _columns(engine: Engine, collection: Collection, record_id: str, kept: KeptRow) -> Mapping[str, Value] | None:
    """All columns by those that an entry kept; None when the collection has others since."""
    known: dict[str, Value] = (
        {**kept.columns, **dict.fromkeys(SECRET_FIELDS, "")} if collection.is_auth else {**kept.columns}
    )
    if any(_is_plain(collection, name) for name in kept.cells):
        return None
    if collection.owners:
        await know_cells(engine.read, collection, kept.cells.values())
    known |= {name: open_cell(collection, name, record_id, cell) for name, cell in kept.cells.items()}
    names = collection.by_name
    return {name: known[name] for name in names} if names.keys() <= known.keys() else None


def _is_plain(collection: Collection, name: str) -> bool:
    """Whether what was encrypted when it was kept is not any more, or gone."""
    field = collection.field(name)
    return field is None or field.id not in collection.seals


async def _find(engine: Engine, collection: Collection, record_id: str) -> Mapping[str, Value] | None:
    found = await find_record(engine.read, engine.dialect, collection, {"id": record_id})
    return None if found is None else _stored(collection, found)


def _stored(collection: Collection, record: Mapping[str, Any]) -> Mapping[str, Value]:
    return {field.name: field.to_column(record[field.name]) for field in collection.fields}
