"""Encrypted fields between the tables and everybody else: cells are opened here, and made.

Whoever reads rows of a collection sees column values as plain columns have them; whoever
writes hands over the same. Where a collection has nothing encrypted, nothing is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from undercroft.collections.cipher import Cell, SealedField, cipher_of
from undercroft.collections.collection import Collection
from undercroft.collections.encrypting import index_of
from undercroft.collections.seals import Column, index_name
from undercroft.database.engine import Row, Value
from undercroft.query.sealed import FieldIsEncrypted
from undercroft.records.draft import Draft

_Open = Callable[[list[Row]], list[Row]]


def open_rows(collection: Collection, columns: Sequence[str], rows: list[Row]) -> list[Row]:
    """Rows with these columns, with values in place of cells.

    Raises `DecryptionFailed`, `UnknownKey`, `KeyDisabled`, `KeyDestroyed` and `KeysUnavailable`.
    """
    if not collection.sealed_names or not rows:
        return rows
    opening = opener(collection, tuple(columns))
    return rows if opening is None else opening(rows)


def open_row(collection: Collection, row: Row) -> Row:
    """A row with every column in field order, with values in place of cells. Raises what `open_rows` raises."""
    opening = opener(collection, tuple(collection.by_name)) if collection.sealed_names else None
    return row if opening is None else opening([row])[0]


def opener(collection: Collection, columns: tuple[str, ...]) -> _Open | None:
    """What opens rows with these columns; None where none of them is encrypted. Made once."""
    made: dict[tuple[str, ...], _Open | None] = collection.__dict__.setdefault("_openers", {})
    if columns not in made:
        made[columns] = _make_opener(collection, columns)
    return made[columns]


def _make_opener(collection: Collection, columns: tuple[str, ...]) -> _Open | None:
    sealed = {at: name for at, name in enumerate(columns) if name in collection.sealed_names}
    if not sealed:
        return None
    cipher, key = cipher_of(collection), columns.index("id")
    fields = [(at, cipher.by_name[name]) for at, name in sealed.items()]
    # Where an address is not to be shown, the statement gives NULL, and for none an empty text.
    hidden = {at for at, name in sealed.items() if collection.is_auth and name == "email"}

    def opening(rows: list[Row]) -> list[Row]:
        known = [(at, field, field.opened()) for at, field in fields]
        return [tuple(_opened(list(row), known, str(row[key]), hidden)) for row in rows]

    return opening


def _opened(
    values: list[Value],
    known: Iterable[tuple[int, SealedField, Mapping[Cell, Value]]],
    record_id: str,
    hidden: set[int],
) -> list[Value]:
    for at, field, opened in known:
        cell: Any = values[at]
        if cell:
            value = opened.get((cell, record_id))
            values[at] = field.open(cell, record_id) if value is None else value
        elif cell is not None or at not in hidden:
            values[at] = field.zero
    return values


def stored_columns(
    collection: Collection, record_id: str, values: Mapping[str, Value], names: frozenset[str] | None = None
) -> dict[str, Value]:
    """What the columns of the table hold for column values by field name; for some fields only, with `names`."""
    wanted = [column for column in collection.columns if names is None or column.field.name in names]
    if not collection.seals:
        return {column.name: values[column.name] for column in wanted}
    return {column.name: _stored(collection, column, record_id, values) for column in wanted}


def changed_columns(draft: Draft) -> dict[str, Value]:
    """What the columns of the table hold for those fields that a draft changes."""
    before, values = draft.before or {}, draft.values
    changed = [f for f in draft.collection.fields if values[f.name] != before[f.name]]
    plain = {field.name: field.to_column(values[field.name]) for field in changed}
    return stored_columns(draft.collection, before["id"], plain, frozenset(plain)) if changed else {}


def _stored(collection: Collection, column: Column, record_id: str, values: Mapping[str, Value]) -> Value:
    value = values[column.field.name]
    if column.role == "plain":
        # On the way back to plain, and on the way to cells, both columns are written.
        return value
    sealed = cipher_of(collection).by_name[column.field.name]
    return sealed.seal(value, record_id) if column.index is None else sealed.fingerprint(column.index, value)


def seal_cell(collection: Collection, name: str, record_id: str, value: Value) -> bytes:
    """The cell of a value that is kept outside of its table; empty for the empty value."""
    return cipher_of(collection).by_name[name].seal(value, record_id) or b""


def open_cell(collection: Collection, name: str, record_id: str, cell: bytes) -> Value:
    """The value of such a cell. Raises what `open_rows` raises."""
    return cipher_of(collection).by_name[name].open(cell, record_id)


def looked_up(collection: Collection, where: Mapping[str, Value]) -> dict[str, Value]:
    """The columns, with their values, by which records are found that have these values in these fields.

    Raises `FieldIsEncrypted` for an encrypted field that cannot be looked up.
    """
    return dict(_look_up(collection, name, value) for name, value in where.items())


def _look_up(collection: Collection, name: str, value: Value) -> tuple[str, Value]:
    if name not in collection.sealed_names:
        return name, value
    field = collection.by_name[name]
    index = index_of(collection, field)
    if index is None:
        raise FieldIsEncrypted(name, "its values cannot be looked up")
    return index_name(field.id, index.number), cipher_of(collection).by_name[name].fingerprint(index, value)
