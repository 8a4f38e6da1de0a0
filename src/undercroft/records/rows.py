"""Records as templates and scripts see them: fields are attributes, dates are moments.

    term.title   term.created.year   term.tags   term.expand.author.name

A class is made for each collection and kept for as long as that lives; a value is made
of its column when it is first asked for, since a template shows few of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from undercroft.collections.collection import Collection
from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.date import DateField
from undercroft.database.engine import Row, Value
from undercroft.errors import did_you_mean
from undercroft.query.scope import Identity
from undercroft.query.selects import visible_columns
from undercroft.records.codec import PLAIN, view_json
from undercroft.templating.environment import Nothing


class Related(dict[str, Any]):
    """Related records by name; one that is not there prints as nothing."""

    def __missing__(self, name: str) -> Nothing:
        return Nothing(name=name)


class PageRecord:
    """A record. Fields are attributes, and items for those whose names are no Python names.

    A field that the visitor may not see is None; `expand` has the related records that
    were asked for. Two are equal when they are the same record.
    """

    __slots__ = ("__expand", "__row")
    __collection: Collection
    __positions: Mapping[str, int]

    def __init__(self, row: Row) -> None:
        self.__row = row
        self.__expand: Related | None = None

    @property
    def expand(self) -> Related:
        """The related records that were asked for, by the name of the relation."""
        if self.__expand is None:
            self.__expand = Related()
        return self.__expand

    def __getattr__(self, name: str) -> Any:
        if name in self.__collection.by_name:
            return None
        raise AttributeError(self.__describe_missing__(name))

    def __getitem__(self, name: str) -> Any:
        if name in self.__positions or name in self.__collection.by_name:
            return getattr(self, name)
        raise KeyError(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PageRecord) and identity_of(self) == identity_of(other)

    def __hash__(self) -> int:
        return hash(identity_of(self))

    def __repr__(self) -> str:
        return f"<record {self.id} of {self.__collection.name}>"

    def __describe_missing__(self, name: str) -> str:
        hint = did_you_mean(name, list(self.__positions))
        return f"Records of {self.__collection.name!r} have no field {name!r}.{hint}"


def values_of(record: PageRecord) -> dict[str, Any]:
    """The fields that the visitor may see, by name."""
    return {name: getattr(record, name) for name in reader_of_record(record).columns}


def collection_of_record(record: PageRecord) -> Collection:
    """The collection of a record."""
    return reader_of_record(record).collection


def identity_of(record: PageRecord) -> tuple[str, str]:
    """What makes a record the same as another: its collection and its id."""
    return collection_of_record(record).id, record.id


def record_of(identity: Identity) -> PageRecord:
    """Somebody's own record, with what they may see of it."""
    collection = identity.collection
    columns = visible_columns(collection, is_superuser=identity.is_superuser)
    row = tuple(collection.by_name[name].to_column(identity.record[name]) for name in columns)
    return reader_of(collection, columns).from_row(row)


class RowReader:
    """Makes page records of the rows of one collection."""

    def __init__(self, collection: Collection, columns: tuple[str, ...]) -> None:
        self.collection = collection
        self.columns = columns
        self._positions = {name: position for position, name in enumerate(columns)}
        self.from_row: Callable[[Row], PageRecord] = _make_class(self, self._positions)

    def position(self, name: str) -> int | None:
        """Where a column stands in the rows; None when it does not come out."""
        return self._positions.get(name)

    def expand_of(self, record: PageRecord) -> dict[str, Any]:
        """The related records of a record."""
        return record.expand


def reader_of(collection: Collection, columns: tuple[str, ...], plain: tuple[str, ...] = PLAIN) -> RowReader:
    """The reader of a collection for these columns; made once."""
    del plain
    made: dict[tuple[str, ...], RowReader] = collection.__dict__.setdefault("_page_readers", {})
    if columns not in made:
        made[columns] = RowReader(collection, columns)
    return made[columns]


def reader_of_record(record: PageRecord) -> RowReader:
    """The reader that made a record."""
    reader: RowReader = type(record).__reader__  # type: ignore[attr-defined]  # generated below
    return reader


def _make_class(reader: RowReader, positions: Mapping[str, int]) -> type[PageRecord]:
    collection = reader.collection
    names: dict[str, Any] = {
        name: _property(collection, collection.by_name[name], position)
        for name, position in positions.items()
        if not name.startswith("__")
    }
    own = {"__slots__": (), "__reader__": reader, "collectionId": collection.id, "collectionName": collection.name}
    own |= {"_PageRecord__collection": collection, "_PageRecord__positions": positions}
    return type("Record", (PageRecord,), names | own)


def _property(collection: Collection, field: Field, position: int) -> property:
    convert = _conversion(collection, field)
    if convert is None:
        return property(lambda record: record._PageRecord__row[position] or "")  # noqa: SLF001 - its own class's
    return property(lambda record: convert(record._PageRecord__row[position]))  # noqa: SLF001 - likewise


def _conversion(collection: Collection, field: Field) -> Callable[[Value], Any] | None:
    """What makes a value of a column; None where text is only text."""
    if isinstance(field, DateField | AutodateField):
        return read_moment
    if field.type == "password":
        return lambda _: ""
    if field.column == "text":
        return None
    return _read_view if collection.is_view and field.column == "json" else field.from_column


def _read_view(value: Value) -> Any:
    shown = view_json(value)
    return msgspec.json.decode(shown) if isinstance(shown, msgspec.Raw) else shown


def read_moment(value: Any) -> datetime | None:
    """Date text as a moment in UTC; None when it is empty, or none."""
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
