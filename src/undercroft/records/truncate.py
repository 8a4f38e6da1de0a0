"""Emptying a collection: every record deleted as one delete would, in one transaction."""

from __future__ import annotations

from time import monotonic
from typing import Final

from undercroft.collections.collection import Collection
from undercroft.database.engine import QueryTimeout
from undercroft.errors import BadRequest
from undercroft.records.cascade import MOST_SECONDS, Cascade, is_alone
from undercroft.records.record import from_row, select_columns
from undercroft.records.write import Writer

MOST_TOLD: Final = 1000  # deletes; of more, those who keep their place hear that they must read anew


class ViewNotTruncated(BadRequest):
    """A view has no records of its own."""

    code = "view_not_truncated"
    default = "View collections cannot be truncated since they don't store their own records."


class TruncateRefused(BadRequest):
    """A record cannot be deleted, so none is."""

    code = "truncate_refused"
    default = "Failed to truncate collection (most likely due to required cascade delete record references)."


async def truncate(writer: Writer, collection: Collection) -> None:
    """Delete all records with what hangs on them. Raises `ViewNotTruncated`, `TruncateRefused` and `QueryTimeout`."""
    if collection.is_view:
        raise ViewNotTruncated
    access, until = writer.access, monotonic() + MOST_SECONDS
    if writer.unit is None and is_alone(access, collection) and not await _is_told(writer, collection):
        await Cascade(access, writer.transaction).delete_all(collection)
        return
    columns, table = select_columns(collection, access.dialect), access.dialect.quote(collection.name)
    # One at a time, because a delete may take others of the same collection with it.
    while rows := await access.run(f"SELECT {columns} FROM {table} LIMIT 1", []):
        if monotonic() > until:
            raise QueryTimeout
        try:
            await writer.remove(collection, await from_row(access.run, collection, rows[0]))
        except BadRequest as error:
            raise TruncateRefused from error


async def _is_told(writer: Writer, collection: Collection) -> bool:
    """Whether each delete is told to those who listen: while somebody does, and as long as they are not too many."""
    if not writer.transaction.is_heard("record"):
        return False
    sql = f"SELECT 1 FROM {writer.access.dialect.quote(collection.name)} LIMIT {MOST_TOLD + 1}"
    return len(await writer.access.run(sql, [])) <= MOST_TOLD
