"""Where encrypted fields are kept, and how far that is.

A field is *sealed* once its values are read from a column of bytes, each encrypted for its own
cell. Where it can be looked up, a column of fingerprints stands beside it. A plain field with
records on its way there is *sealing*: it is read as before, and what is written goes into both
columns, until the last value has followed. A field on its way back is *opening*, and is read
from its cells until then. A new index is filled beside the one that is read, in the same way.

Columns beside the one that has the name of the field are named by its id, so no rename
concerns them, and bear a sign that no field can have in its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from undercroft.collections.fields.base import Field
from undercroft.collections.fields.encrypted import Normalize
from undercroft.database.dialect import ColumnKind

Phase = Literal["sealed", "sealing", "opening"]
Role = Literal["plain", "cell", "index"]


class Index(msgspec.Struct, frozen=True):
    """A column of fingerprints: its number, which is also that of its key, and which spellings are the same."""

    number: int
    normalize: Normalize = "exact"


class Seal(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a field is. `index` serves look-ups; `filling` is to take its place."""

    phase: Phase = "sealed"
    index: Index | None = None
    filling: Index | None = None

    @property
    def indexes(self) -> tuple[Index, ...]:
        """All columns of fingerprints that are written."""
        return tuple(index for index in (self.index, self.filling) if index is not None)

    @property
    def is_read(self) -> bool:
        """Whether values are read from the cells."""
        return self.phase != "sealing"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: which field it is for, and what it holds of it."""

    name: str
    kind: ColumnKind
    field: Field
    role: Role = "plain"
    index: Index | None = None

    @property
    def key(self) -> tuple[str, Role, int]:
        """What makes it the same column in another definition, whatever its name."""
        return self.field.id, self.role, 0 if self.index is None else self.index.number


def columns_of(fields: Iterable[Field], seals: Mapping[str, Seal]) -> tuple[Column, ...]:
    """All columns of a table: one with the name of each field, in their order, and then those beside."""
    named, beside = list[Column](), list[Column]()
    for field in fields:
        seal = seals.get(field.id)
        cells = seal is not None and seal.is_read
        named.append(Column(field.name, "bytes", field, "cell") if cells else Column(field.name, field.column, field))
        if seal is not None:
            beside.extend(_beside(field, seal))
    return (*named, *beside)


def _beside(field: Field, seal: Seal) -> Iterator[Column]:
    if seal.phase == "sealing":
        yield Column(f"{field.id}~sealed", "bytes", field, "cell")
    if seal.phase == "opening":
        yield Column(f"{field.id}~plain", field.column, field)
    for index in seal.indexes:
        yield Column(index_name(field.id, index.number), "bytes", field, "index", index)


def index_name(field_id: str, number: int) -> str:
    """The name of a column of fingerprints."""
    return f"{field_id}~{number}"
