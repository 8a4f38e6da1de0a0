"""What the database itself sees to while the values of a field come along into other columns.

Not everybody who writes knows that they do: a process may not have heard yet, a hook may run
SQL of its own. So the table is watched. Where the column that is read changes and the one that
is to be read does not, the latter is emptied, and its value comes along once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.seals import Seal, cell_name, index_name
from undercroft.database.dialect import ColumnKind, Dialect, Watch

_BYTES: Final[ColumnKind] = "bytes"


def watches_of(collection: Collection) -> Iterator[Watch]:
    """The watches of a table, for the fields of which something is under way."""
    for field in collection.fields:
        seal = collection.seals.get(field.id)
        if seal is not None:
            yield from _watches(collection, field, seal)


def begin_watches(collection: Collection, dialect: Dialect) -> Iterator[str]:
    """The statements that begin them, once the table has its columns."""
    return map(dialect.begin_watch, watches_of(collection))


def end_watches(collection: Collection, dialect: Dialect) -> Iterator[str]:
    """The statements that end them, while the table still has its columns."""
    return (dialect.end_watch(watch.name, watch.table) for watch in watches_of(collection))


def _watches(collection: Collection, field: Field, seal: Seal) -> Iterator[Watch]:
    cell = cell_name(field.id)
    if seal.phase == "sealing":
        beside = {index_name(field.id, index.number): _BYTES for index in seal.indexes}
        yield _watch(collection, field.name, cell, {cell: _BYTES, **beside}, field.id)
        if field.name in collection.owners:
            # Whoever gets a record gets its values, under another key.
            yield _watch(collection, collection.owners[field.name].name, cell, {cell: _BYTES}, f"{field.id}~owner")
    if seal.phase == "opening":
        yield _watch(collection, cell, field.name, {field.name: field.column}, field.id)
    if seal.filling is not None:
        filling = index_name(field.id, seal.filling.number)
        yield _watch(collection, cell, filling, {filling: _BYTES}, filling)


def _watch(collection: Collection, column: str, beside: str, forgets: Mapping[str, ColumnKind], what: str) -> Watch:
    return Watch(f"{collection.id}~{what}~watch", collection.name, column, beside, forgets)
