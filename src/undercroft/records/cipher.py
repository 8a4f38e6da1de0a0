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
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Row, Transaction, Value
from undercroft.database.statements import Run
from undercroft.encryption.values import key_id_of
from undercroft.query.sealed import FieldIsEncrypted
from undercroft.records.draft import Draft
from undercroft.records.subjects import NOBODY, Held, find_subjects, hold_subjects, rewritten

_Open = Callable[[list[Row]], list[Row]]


async def open_rows(run: Run, collection: Collection, columns: Sequence[str], rows: list[Row]) -> list[Row]:
    """Rows with these columns, with values in place of cells; `run` finds keys that are not here.

    Raises `DecryptionFailed`, `UnknownKey`, `KeyDisabled`, `KeyDestroyed` and `KeysUnavailable`.
    """
    if not collection.sealed_names or not rows:
        return rows
    opening = opener(collection, tuple(columns))
    if opening is None:
        return rows
    if collection.owners:
        await _know_subjects(run, collection, columns, rows)
    return opening(rows)


async def open_row(run: Run, collection: Collection, row: Row) -> Row:
    """A row with every column in field order, with values in place of cells. Raises what `open_rows` raises."""
    return (await open_rows(run, collection, tuple(collection.by_name), [row]))[0] if collection.sealed_names else row


async def _know_subjects(run: Run, collection: Collection, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Have all keys of people and tenants here that rows take, but for values that were opened lately."""
    cipher, names = cipher_of(collection), [name for name in columns if name in collection.owners]
    if names:
        key, fields = columns.index("id"), [(columns.index(name), cipher.by_name[name].opened()) for name in names]
        cells = [row[at] for row in rows for at, opened in fields if row[at] and (row[at], row[key]) not in opened]
        await know_cells(run, collection, cells)


async def know_cells(run: Run, collection: Collection, cells: Iterable[Value]) -> None:
    """Have all keys of people and tenants here that cells name."""
    found = (key_id_of(cell) for cell in cells if isinstance(cell, bytes))
    await cipher_of(collection).keys.know_subjects(run, [key_id for key_id in found if key_id is not None])


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


async def written_columns(tx: Transaction, dialect: Dialect, draft: Draft) -> dict[str, Value]:
    """What the columns of the table hold for those fields that a draft writes: all of a new record, or what changes.

    Raises `Invalid` where values cannot be sealed for whoever they are of.
    """
    collection, names = draft.collection, rewritten(draft)
    held = await hold_subjects(tx, dialect, draft, names)
    values = {name: collection.by_name[name].to_column(draft.values[name]) for name in names}
    return stored_columns(collection, draft.values["id"] if draft.before is None else draft.before["id"], values, held)


def stored_columns(
    collection: Collection, record_id: str, values: Mapping[str, Value], held: Held = NOBODY
) -> dict[str, Value]:
    """What the columns of the table hold for column values by field name."""
    wanted = [column for column in collection.columns if column.field.name in values]
    if not collection.seals:
        return {column.name: values[column.name] for column in wanted}
    return {column.name: _stored(column, record_id, values[column.field.name], collection, held) for column in wanted}


def _stored(column: Column, record_id: str, value: Value, collection: Collection, held: Held) -> Value:
    if column.role == "plain":
        # On the way back to plain, and on the way to cells, both columns are written.
        return value
    sealed = cipher_of(collection).by_name[column.field.name]
    if column.index is not None:
        return sealed.fingerprint(column.index, value)
    return sealed.seal(value, record_id, held.get(column.field.name))


async def seal_cells(
    tx: Transaction, collection: Collection, record: Mapping[str, Any], values: Mapping[str, Value]
) -> dict[str, bytes] | None:
    """Cells of column values of a record that are kept outside of its table, empty for empty values.

    None where the key of whoever they are of cannot be had.
    """
    held = await find_subjects(tx, collection, record) if collection.owners else NOBODY
    if held is None:
        return None
    by_name, record_id = cipher_of(collection).by_name if values else {}, record["id"]
    return {name: by_name[name].seal(value, record_id, held.get(name)) or b"" for name, value in values.items()}


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
