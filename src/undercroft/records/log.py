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
    row = _row(entry) if transaction.is_heard("record") else ""
    change = Change("record", entry.collection.id, entry.record["id"], entry.action)
    await append_change(transaction, dialect, change, row)


def _row(entry: Entry) -> str:
    secret = SECRET_FIELDS if entry.collection.is_auth else frozenset()
    fields = [each for each in entry.collection.fields if each.name not in secret]
    return render_row({each.name: each.to_column(entry.record[each.name]) for each in fields}, entry.verdicts)
