"""A table that somebody else has made, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from undercroft.database.dialect import ColumnKind


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """A column; `kind` is None when we have nothing for its type, `key` its place in the primary key from 1, or 0."""

    name: str
    type: str
    kind: ColumnKind | None
    is_required: bool
    has_default: bool
    key: int

    @property
    def may_be_left_out(self) -> bool:
        """Whether a row can be added without saying what it is."""
        return self.has_default or not self.is_required


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A column that refers to a column of another table."""

    column: str
    table: str
    target: str
    cascades: bool


@dataclass(frozen=True, slots=True)
class FoundIndex:
    """An index of plain columns, on all rows."""

    name: str
    is_unique: bool
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table of the database."""

    name: str
    columns: tuple[FoundColumn, ...]
    foreign_keys: tuple[ForeignKey, ...]
    indexes: tuple[FoundIndex, ...]

    @property
    def primary_key(self) -> tuple[FoundColumn, ...]:
        """The columns of the primary key, in its order."""
        return tuple(sorted((column for column in self.columns if column.key), key=lambda column: column.key))
