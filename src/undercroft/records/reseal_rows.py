"""Rows whose values have to come along, some at a time: which they are, what becomes of them, and putting it there.

A row is changed only where what was read of it still stands there. Whoever was faster wrote
both columns, or was noticed by the watch of the table, which see `collections.watches`: what is
there is right, or comes along in the next pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from undercroft.collections.cipher import SealedField, cipher_of, subject_scope
from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.pieces import Piece
from undercroft.collections.seals import Index, Seal, cell_name, index_name
from undercroft.database.dialect import ColumnKind, Dialect
from undercroft.database.engine import Transaction, Value
from undercroft.database.positions import Read
from undercroft.encryption.failures import DecryptionFailed, KeyDestroyed, KeyDisabled
from undercroft.encryption.subjects import SubjectKey
from undercroft.encryption.values import PREFIX_BYTES, key_prefix
from undercroft.keys.subjects import SubjectErased
from undercroft.records.cipher import know_cells
from undercroft.records.subjects import NOBODY, Held

SHUT: Final = (DecryptionFailed, KeyDisabled, KeyDestroyed)
"""Why a single value does not open, whatever is done about the others."""
_ORDER: Final = '"_rowid_"'  # in which rows were made, and so lie: by their ids each would be on another page
_NEW: Final = '"new values"'  # no collection can be called that


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A row as it was read: its place in the order, the value that is to come along; whose it is, if that matters."""

    place: int
    id: str
    value: Value
    owner: str = ""


@dataclass(frozen=True, slots=True)
class SampledRow:
    """A row, and what its new columns hold."""

    row: ReadRow
    new: Sequence[Value]


@dataclass(slots=True)
class Batch:
    """What becomes of some rows: the columns of each that could be opened and sealed; the ids of the others."""

    rows: list[tuple[ReadRow, tuple[Value, ...]]] = field(default_factory=list)
    shut: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Follower:
    """How the values of a piece come along in the table of a collection."""

    collection: Collection
    field: Field
    piece: Piece
    dialect: Dialect

    @classmethod
    def of(cls, collection: Collection, piece: Piece, dialect: Dialect) -> Follower:
        """The follower of a piece; its field must be there, and encrypted."""
        return cls(collection, collection.by_id[piece.field], piece, dialect)

    @cached_property
    def sealed(self) -> SealedField:
        """What seals and opens the values."""
        return cipher_of(self.collection).by_name[self.field.name]

    @property
    def seal(self) -> Seal:
        """How far the field is."""
        return self.collection.seals[self.field.id]

    @cached_property
    def owner(self) -> Field | None:
        """The field that names whose values these are, where they are to be sealed for people or tenants."""
        return self.collection.owners.get(self.field.name) if self.piece.kind == "seal" else None

    @property
    def source(self) -> tuple[str, ColumnKind]:
        """The column that values come from, and what it holds."""
        return (self.field.name, self.field.column) if self.piece.kind == "seal" else (self._cell, "bytes")

    @cached_property
    def targets(self) -> Sequence[tuple[str, ColumnKind]]:
        """The columns that they come into."""
        if self.piece.kind == "open":
            return [(self.field.name, self.field.column)]
        cell: list[tuple[str, ColumnKind]] = [] if self.piece.kind == "index" else [(self._cell, "bytes")]
        return [*cell, *((index_name(self.field.id, index.number), "bytes") for index in self._indexes)]

    def targets_of(self, value: Value, record_id: str, subject: SubjectKey | None = None) -> tuple[Value, ...]:
        """What these columns are to hold for a value of the source. Raises what `SealedField.open` raises."""
        plain = value if self.piece.kind == "seal" else self.sealed.open_once(value, record_id)
        if self.piece.kind == "open":
            return (plain,)
        cell = () if self.piece.kind == "index" else (self.sealed.seal(plain, record_id, subject),)
        return (*cell, *(self.sealed.fingerprint(index, plain) for index in self._indexes))

    async def hold(self, tx: Transaction, rows: Iterable[ReadRow]) -> Held:
        """The keys for whoever rows are of, by the names in them; none for nobody, and for who was erased."""
        held: dict[str, SubjectKey] = {}
        if self.owner is None:
            return held
        for name in {row.owner for row in rows if row.owner and row.value != self.sealed.zero}:
            with suppress(SubjectErased):
                scope = subject_scope(self.collection, self.owner, name)
                held[name] = await cipher_of(self.collection).keys.hold_subject(tx, self.dialect, scope)
        return held

    def prepare(self, rows: Iterable[ReadRow], held: Held = NOBODY) -> Batch:
        """What becomes of rows that were read, with the keys for whoever they are of."""
        batch = Batch()
        for row in rows:
            subject = held.get(row.owner)
            if self.owner is not None and subject is None and row.value != self.sealed.zero:
                batch.shut.append(row.id)
                continue
            try:
                batch.rows.append((row, self.targets_of(row.value, row.id, subject)))
            except SHUT:
                batch.shut.append(row.id)
        return batch

    async def read(self, read: Read, after: int, limit: int) -> list[ReadRow]:
        """The next rows whose values have not come along, behind a place in the order. Raises `SqlError`."""
        names = ", ".join(self._quote(name) for name, _ in self._known)
        sql = f"""SELECT {_ORDER}, "id", {names} FROM {self._table}
            WHERE {_ORDER} > {self._mark(1)} AND ({self._is_left(2)}) ORDER BY {_ORDER} LIMIT {limit}"""
        rows = await read(sql, (after, *self._left))
        if self.field.name in self.collection.owners:
            await know_cells(read, self.collection, [row[2] for row in rows])
        return [ReadRow(_whole(place), str(key), value, *map(str, owner)) for place, key, value, *owner in rows]

    async def sample(self, read: Read, after: int, limit: int, every: int) -> list[SampledRow]:
        """The next of all rows, one of so many, with what has become of them."""
        names = ", ".join(self._quote(name) for name, _ in (self.source, *self.targets))
        sql = f"""SELECT {_ORDER}, "id", {names} FROM {self._table}
            WHERE {_ORDER} > {self._mark(1)} AND {_ORDER} % {every} = 0 ORDER BY {_ORDER} LIMIT {limit}"""
        rows = await read(sql, (after,))
        if self.field.name in self.collection.owners:
            await know_cells(read, self.collection, [value for row in rows for value in row[2:]])
        return [SampledRow(ReadRow(_whole(place), str(key), value), new) for place, key, value, *new in rows]

    def is_right(self, sampled: SampledRow) -> bool:
        """Whether a row holds what follows from its value. Raises what `SealedField.open` raises."""
        row, sealed = sampled.row, self.sealed
        plain = row.value if self.piece.kind == "seal" else sealed.open_once(row.value, row.id)
        prints = [sealed.fingerprint(index, plain) for index in self._indexes]
        values, found = sampled.new[: len(sampled.new) - len(prints)], sampled.new[len(sampled.new) - len(prints) :]
        if self.piece.kind in ("seal", "reseal"):
            values = [sealed.open_once(cell, row.id) for cell in values]
        return list(found) == prints and all(self._is_same(value, plain) for value in values)

    def _is_same(self, one: Value, other: Value) -> bool:
        """Whether two column values are one; engines may spell JSON in their own ways."""
        return bool(self.field.from_column(one) == self.field.from_column(other))

    async def count(self, read: Read) -> int:
        """How many rows are left whose values have not come along."""
        rows = await read(f"SELECT count(*) FROM {self._table} WHERE {self._is_left(1)}", self._left)
        return int(rows[0][0] or 0)

    async def put(self, tx: Transaction, batch: Batch) -> int:
        """Have rows hold what becomes of them, where nobody else has changed them since; how many do."""
        if not batch.rows:
            return 0
        known, owned = self._known, self.owner is not None
        names = [*(f"was{n}" for n in range(len(known))), *(f"new{n}" for n in range(len(self.targets)))]
        kinds = [kind for _, kind in (*known, *self.targets)]
        rows = [(row.id, row.value, *([row.owner] if owned else []), *new) for row, new in batch.rows]
        values = [value for row in rows for value in row]
        width = 1 + len(kinds)
        marks = [
            ", ".join(self._mark(at * width + n, kind) for n, kind in enumerate(("text", *kinds), 1))
            for at in range(len(batch.rows))
        ]
        sets = ", ".join(f'{self._quote(name)} = {_NEW}."new{n}"' for n, (name, _) in enumerate(self.targets))
        same = " AND ".join(
            f"{self._table}.{self._quote(name)} IS NOT DISTINCT FROM {_of_new(f'was{n}')}"
            for n, (name, _) in enumerate(known)
        )
        sql = f"""WITH {_NEW} ("key", {", ".join(f'"{name}"' for name in names)}) AS (VALUES ({"), (".join(marks)}))
            UPDATE {self._table} SET {sets} FROM {_NEW} WHERE {self._table}."id" = {_of_new("key")}
            AND {same} RETURNING 1"""
        return len(await tx.run(sql, values))

    def _is_left(self, first: int) -> str:
        """The condition that a row's value has not come along; its values are `_left`."""
        cell, plain = self._quote(self._cell), self._quote(self.field.name)
        if self.piece.kind == "reseal":
            return f"{cell} IS NOT NULL AND substr({cell}, 1, {PREFIX_BYTES}) <> {self._mark(first, 'bytes')}"
        if self.piece.kind == "open":
            return f"{cell} IS NOT NULL AND {plain} IS NOT DISTINCT FROM {self._mark(first, self.field.column)}"
        missing = [f"{self._quote(name)} IS NULL" for name, _ in self.targets if name != self._cell]
        if self.piece.kind == "seal":
            is_full = f"{plain} IS DISTINCT FROM {self._mark(first, self.field.column)}"
            missing.append(f"({cell} IS NULL AND {is_full})")
        return " OR ".join(missing)

    @cached_property
    def _left(self) -> tuple[Value, ...]:
        if self.piece.kind == "reseal":
            return (key_prefix(self.piece.number),)
        return () if self.piece.kind == "index" else (self.sealed.zero,)

    @cached_property
    def _indexes(self) -> tuple[Index, ...]:
        """The indexes that are filled; those of cells that are sealed anew stay what they are."""
        if self.piece.kind == "seal":
            return self.seal.indexes
        return tuple(i for i in self.seal.indexes if self.piece.kind == "index" and i.number == self.piece.number)

    @cached_property
    def _known(self) -> Sequence[tuple[str, ColumnKind]]:
        """The columns that are read, and must be as they were when the new ones are put."""
        owner: list[tuple[str, ColumnKind]] = [] if self.owner is None else [(self.owner.name, "text")]
        return [self.source, *owner]

    @property
    def _cell(self) -> str:
        return cell_name(self.field.id)

    @property
    def _table(self) -> str:
        return self._quote(self.collection.name)

    @property
    def _quote(self) -> Callable[[str], str]:
        return self.dialect.quote

    @property
    def _mark(self) -> Callable[..., str]:
        return self.dialect.placeholder


def _of_new(name: str) -> str:
    """A column of the new values, so that nobody makes an index of them and goes through the whole table with it."""
    return f'coalesce({_NEW}."{name}", {_NEW}."{name}")'


def _whole(value: Any) -> int:
    return int(value)
