"""The entries that writes of records leave in the change log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from undercroft.collections.collection import Collection
from undercroft.database.changes import Change, ChangeAction, append_change, render_row
from undercroft.database.engine import Transaction
from undercroft.query.selects import SECRET_FIELDS
from undercroft.records.access import Access


async def log_change(
    transaction: Transaction, access: Access, collection: Collection, record: Mapping[str, Any], action: ChangeAction
) -> None:
    """Write the entry of a changed record; while somebody listens, with its stored values.

    `record` is what it is after a create or an update, or was before a delete.
    """
    row = _row(collection, record) if transaction.is_heard("record") else ""
    change = Change("record", collection.id, record["id"], action)
    await append_change(transaction, access.dialect, change, row)


def _row(collection: Collection, record: Mapping[str, Any]) -> str:
    secret = SECRET_FIELDS if collection.is_auth else frozenset()
    fields = [field for field in collection.fields if field.name not in secret]
    return render_row({field.name: field.to_column(record[field.name]) for field in fields})
