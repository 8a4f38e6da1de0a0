"""The entries that writes of records leave in the change log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from undercroft.collections.collection import Collection
from undercroft.database.changes import Change, ChangeAction, append_change, render_row
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction
from undercroft.query.selects import SECRET_FIELDS
from undercroft.records.cipher import seal_cells


@dataclass(frozen=True, slots=True)
class Entry:
    """A change of a record, which is as it is after a create or an update, or was before a delete.

    `verdicts` say who might know of it then, see `records.hearers`.
    """

    collection: Collection
    record: Mapping[str, Any]
    action: ChangeAction
    verdicts: Mapping[str, bool] = field(default_factory=dict)


async def log_change(transaction: Transaction, dialect: Dialect, entry: Entry) -> None:
    """Write an entry; while somebody listens, with the record's stored values."""
    row = await _row(transaction, entry) if transaction.is_heard("record") else ""
    change = Change("record", entry.collection.id, entry.record["id"], entry.action)
    await append_change(transaction, dialect, change, row)


async def _row(tx: Transaction, entry: Entry) -> str:
    collection, record = entry.collection, entry.record
    secret = SECRET_FIELDS if collection.is_auth else frozenset()
    values = {each.name: each.to_column(record[each.name]) for each in collection.fields if each.name not in secret}
    plain = {name: value for name, value in values.items() if collection.by_name[name].id not in collection.seals}
    sealed = {name: values[name] for name in values.keys() - plain.keys()}
    cells = await seal_cells(tx, collection, record, sealed)
    return "" if cells is None else render_row(plain, entry.verdicts, cells)
