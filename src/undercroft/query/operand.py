"""An operand of a comparison, resolved to SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import FromClause

from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.seals import Index
from undercroft.database.dialect import Expression
from undercroft.query.binds import Source


@dataclass(frozen=True, slots=True)
class RelatedRows:
    """All rows an operand with many values stands for: a set to select from, tied to the record by `where`."""

    rows: FromClause
    value: Expression
    where: Expression | None


@dataclass(frozen=True, slots=True)
class SealedSide:
    """An encrypted field, which can be had by its fingerprints, with an index, or by whether it has a cell."""

    collection: Collection
    field: Field
    index: Index | None
    as_index: Callable[[], Operand]
    as_cell: Callable[[], Operand]
    at: int


@dataclass(frozen=True, slots=True)
class Operand:
    """One side of a comparison.

    `is_empty`: known to be null or the empty text. `is_filled`: known to be neither.
    `is_strict`: null and the empty text are told apart (json, coordinates).
    `related` makes all its values anew, when it can have several.
    `source` is where a bound value comes from. `guard` must hold beside any comparison.
    `sealed` is there for an encrypted field, which is compared in no other way.
    """

    sql: Expression
    is_empty: bool = False
    is_filled: bool = False
    is_strict: bool = False
    related: Callable[[], RelatedRows] | None = None
    source: Source | None = None
    guard: Expression | None = None
    sealed: SealedSide | None = None
