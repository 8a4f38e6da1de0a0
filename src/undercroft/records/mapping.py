"""Which column of a file goes to which field.

A column goes to the field of its name, whatever the case, but the id only to `id`;
`SOURCE=FIELD` says otherwise. A source may reach into objects (`address.city`). A target may be a
part of a point (`place.lat`), or a field of the record that a relation points to
(`country.iso`): then the value is looked up there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.geo_point import GeoPointField
from undercroft.collections.fields.relation import RelationField
from undercroft.errors import BadRequest, did_you_mean

_PARTS = ("lon", "lat")
_ABSENT: Any = object()


class BadMapping(BadRequest):
    """A mapping names a field that is not there, or one that cannot be imported."""

    code = "bad_mapping"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a value goes: a field, or a part of it. `lookup` is the field a related record is found by."""

    field: Field
    part: str = ""
    lookup: tuple[Collection, Field] | None = None


@dataclass(slots=True)
class FieldMapping:
    """Turns the columns of a row into fields. `unused` counts columns that went nowhere.

    With `takes_files` a column may hold paths for a file field.
    """

    collection: Collection
    chosen: Sequence[tuple[str, Target]] = ()
    takes_files: bool = False
    unused: Counter[str] = field(default_factory=Counter)
    _known: dict[str, Target | None] = field(default_factory=dict)

    def apply(self, row: Mapping[str, Any]) -> Iterator[tuple[Target, Any]]:
        """Each target with its value."""
        for source, target in self.chosen:
            value = dig(row, source)
            if value is not _ABSENT:
                yield target, value
        for column, value in row.items():
            found = self._known[column] if column in self._known else self._target(column)
            if found is not None:
                yield found, value
            elif not self._is_taken(column):
                self.unused[column] += 1

    def _is_taken(self, column: str) -> bool:
        return any(source == column or source.startswith(f"{column}.") for source, _ in self.chosen)

    def _target(self, column: str) -> Target | None:
        if any(source == column for source, _ in self.chosen):
            self._known[column] = None
        elif column not in self._known:
            found = self.collection.by_name.get(column) or _by_similar_name(self.collection, column)
            is_chosen = any(target.field is found for _, target in self.chosen)
            is_usable = (self.takes_files or not isinstance(found, FileField)) and not is_chosen
            self._known[column] = Target(found) if found is not None and is_usable else None
        return self._known[column]


def make_mapping(
    catalog: Catalog, collection: Collection, wishes: Sequence[str], *, takes_files: bool = False
) -> FieldMapping:
    """The mapping for wishes written as `SOURCE=FIELD`. Raises `BadMapping`."""
    chosen: list[tuple[str, Target]] = []
    for wish in wishes:
        source, sign, name = wish.rpartition("=")
        if not sign or not source or not name:
            raise BadMapping(f"{wish!r} is no mapping: write SOURCE=FIELD.")
        target = parse_target(catalog, collection, name)
        if isinstance(target.field, FileField) and not takes_files:
            raise BadMapping(f"{name!r} holds files: name the folder that they are in with --files.")
        chosen.append((source, target))
    return FieldMapping(collection, chosen, takes_files)


def parse_target(catalog: Catalog, collection: Collection, name: str) -> Target:
    """The target that a name means. Raises `BadMapping`."""
    head, _, part = name.partition(".")
    found = _find_field(collection, head)
    if not part:
        return Target(found)
    if isinstance(found, GeoPointField) and part in _PARTS:
        return Target(found, part)
    related = catalog.find(found.collection_id) if isinstance(found, RelationField) else None
    if related is None:
        raise BadMapping(f"{head!r} has no part {part!r}.")
    return Target(found, part, (related, _find_field(related, part)))


def dig(row: Any, path: str) -> Any:
    """The value of a column, or of a path into objects; `_ABSENT` when it is not there."""
    if path in row:
        return row[path]
    head, _, rest = path.partition(".")
    inner = row.get(head)
    return dig(inner, rest) if rest and isinstance(inner, dict) else _ABSENT


def _find_field(collection: Collection, name: str) -> Field:
    found = collection.field(name)
    if found is None:
        raise BadMapping(f"{collection.name} has no field {name!r}.{did_you_mean(name, collection.by_name)}")
    return found


def _by_similar_name(collection: Collection, column: str) -> Field | None:
    plain = _plain(column)
    return next((each for each in collection.fields if each.name != "id" and _plain(each.name) == plain), None)


def _plain(name: str) -> str:
    return name.replace("_", "").replace(" ", "").replace("-", "").lower()
