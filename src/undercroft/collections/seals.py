"""Where encrypted fields are kept, and how far that is.

A field is *sealed* once its values are read from a column of bytes, each encrypted for its own
cell. Where it can be looked up, a column of fingerprints stands beside it. A plain field with
records on its way there is *sealing*: it is read as before, and what is written goes into both
columns, until the last value has followed. A field on its way back is *opening*, and is read
from its cells until then. A new index is filled beside the one that is read, in the same way.

The column that has the name of the field holds plain values, always. Those of cells and of
fingerprints are named by its id, so no rename concerns them, and bear a sign that no field can
have in its name. So no name ever means something else than it did: a statement of a process
that has not heard yet finds what it was made for, or fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from undercroft.collections.fields.base import Field
from undercroft.collections.fields.encrypted import Algorithm, Normalize
from undercroft.database.dialect import ColumnKind

Phase = Literal["sealed", "sealing", "opening"]
Role = Literal["plain", "cell", "index"]


class Index(msgspec.Struct, frozen=True):
    """A column of fingerprints: its number, which is also that of its key, and which spellings are the same."""

    number: int
    normalize: Normalize = "exact"


class Seal(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a field is. `index` serves look-ups; `filling` is to take its place.

    `algorithm` and `pad` are those that its values are sealed with; what its option says may be new.
    `subject` is the id of the field that names whose keys they are sealed with; empty: those of the field.
    """

    phase: Phase = "sealed"
    index: Index | None = None
    filling: Index | None = None
    algorithm: Algorithm = "AES-256-GCM"
    pad: int = 0
    subject: str = ""

    @property
    def indexes(self) -> tuple[Index, ...]:
        """All columns of fingerprints that are written, the newest last."""
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
    """All columns of a table: those of plain values, in the order of the fields, and then those beside."""
    plain, beside = list[Column](), list[Column]()
    for field in fields:
        seal = seals.get(field.id)
        if seal is None or seal.phase != "sealed":
            plain.append(Column(field.name, field.column, field))
        if seal is not None:
            beside.append(Column(cell_name(field.id), "bytes", field, "cell"))
            beside.extend(Column(index_name(field.id, n.number), "bytes", field, "index", n) for n in seal.indexes)
    return (*plain, *beside)


def cell_name(field_id: str) -> str:
    """The name of the column of a field's cells."""
    return f"{field_id}~sealed"


def index_name(field_id: str, number: int) -> str:
    """The name of a column of fingerprints."""
    return f"{field_id}~{number}"
