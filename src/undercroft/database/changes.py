"""The change log: one entry a write.

Realtime, replay, webhooks and the other processes of a server read it; nothing else
tells them anything. Positions only grow and are never used again. Where several write
at once an entry may appear behind one with a higher position; those that follow the log
read no further than where it is settled, and so see every entry once, in order.

While somebody listens to changes of records, an entry keeps for a while what the record
was after the change, or before its end: who hears of it later can judge and show it all the
same, when the record has another shape by then, or is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Row, Transaction, Value
from undercroft.database.positions import Read, hold_position, save_position
from undercroft.dates import moment_ago, now

ChangeKind = Literal["record", "collection", "settings", "keys", "credentials"]
ChangeAction = Literal["create", "update", "delete"]

KEPT = 100_000
ROW_SECONDS = 900
"""How long entries keep what records were."""
_AT_ONCE = 20_000
_LARGEST_ROW = 256 * 1024  # characters; what is larger is read again, or lost with its record
_INSERT = 'INSERT INTO "_changes" ("at", "kind", "collection", "record", "action", "row")'


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed: a record of a collection, a collection, or the settings or the keys (both names empty).

    Where it is credentials, something that stood for the account of that record was ended.
    """

    kind: ChangeKind
    collection: str
    record: str
    action: ChangeAction


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A change with its place in the log and its moment; `row` is the text that `render_row` made, or empty."""

    id: int
    at: str
    change: Change
    row: str = ""


async def append_change(tx: Transaction, dialect: Dialect, change: Change, row: str = "") -> int:
    """Write the entry that ends a write; its position. `row` comes from `render_row`."""
    is_of_record = change.kind == "record"
    if not is_of_record:
        await hold_position(tx, dialect, change.kind)
    values = (now(), change.kind, change.collection, change.record, change.action, row)
    position = _position(await tx.run(_insert_sql(dialect), values))
    if not is_of_record:
        await save_position(tx, dialect, change.kind, position)
    tx.announce(change.kind)
    return position


async def append_deletes(tx: Transaction, dialect: Dialect, collection: str, table: str) -> None:
    """Write an entry for each record of a table that is about to be emptied."""
    mark = dialect.placeholder
    chosen = f"""{mark(1, "date")}, 'record', {mark(2, "text")}, "r"."id", 'delete', ''"""
    source = f"{dialect.change_source()} AS c, {dialect.quote(table)} AS r"
    await tx.run(f"{_INSERT} SELECT {chosen} FROM {source}", (now(), collection))
    await prune_changes(tx, dialect, await last_change_id(tx.run) - KEPT)
    tx.announce("record")


class KeptRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an entry keeps: a record's columns, and for hearers by key whether they might know of it before its end.

    Encrypted fields are in `cells`, as encrypted as they are in their table; empty ones are empty.
    """

    columns: dict[str, bool | int | float | str | None]
    verdicts: Mapping[str, bool] = {}
    cells: Mapping[str, bytes] = {}


def render_row(
    columns: Mapping[str, Value], verdicts: Mapping[str, bool], cells: Mapping[str, bytes] | None = None
) -> str:
    """A record as an entry keeps it; empty for what it does not keep."""
    kept = {name: value for name, value in columns.items() if not isinstance(value, bytes)}
    if len(kept) < len(columns):
        return ""
    text = msgspec.json.encode(KeptRow(kept, verdicts, cells or {})).decode()
    return text if len(text) <= _LARGEST_ROW else ""


def parse_row(text: str) -> KeptRow | None:
    """What `render_row` made a text of; None for the empty one."""
    return msgspec.json.decode(text, type=KeptRow) if text else None


def _insert_sql(dialect: Dialect) -> str:
    texts = ", ".join(dialect.placeholder(number, "text") for number in range(2, 7))
    source = f"{dialect.change_source()} AS c"
    return f'{_INSERT} SELECT {dialect.placeholder(1, "date")}, {texts} FROM {source} RETURNING "id"'


async def has_old_changes(engine: Engine) -> bool:
    """Whether there are entries beyond those that are kept."""
    return await last_change_id(engine.read) - await first_change_id(engine.read) >= KEPT


async def forget_old_changes(tx: Transaction, dialect: Dialect) -> None:
    """Forget the oldest entries beyond those that are kept, not too many at once."""
    first = await first_change_id(tx.run)
    await prune_changes(tx, dialect, min(await last_change_id(tx.run) - KEPT, first + _AT_ONCE))


async def has_old_rows(engine: Engine) -> bool:
    """Whether entries keep what records were for longer than they are to."""
    sql = f'SELECT 1 FROM "_changes" WHERE "row" <> \'\' AND "at" < {engine.dialect.placeholder(1, "date")} LIMIT 1'
    return bool(await engine.read(sql, (moment_ago(ROW_SECONDS),)))


async def forget_old_rows(tx: Transaction, dialect: Dialect) -> None:
    """Forget what records were a while ago, not too many at once; that they were changed is kept."""
    mark = dialect.placeholder
    old = f"""SELECT "id" FROM "_changes" WHERE "row" <> '' AND "at" < {mark(1, "date")}
        ORDER BY "id" LIMIT {_AT_ONCE}"""
    await tx.run(f"""UPDATE "_changes" SET "row" = '' WHERE "id" IN ({old})""", (moment_ago(ROW_SECONDS),))


async def forget_rows_of(tx: Transaction, dialect: Dialect, collection: str) -> None:
    """Forget what records of one collection were; that they were changed is kept."""
    where = f"""WHERE "collection" = {dialect.placeholder(1)} AND "row" <> ''"""
    await tx.run(f"""UPDATE "_changes" SET "row" = '' {where}""", (collection,))


async def prune_changes(tx: Transaction, dialect: Dialect, until: int) -> None:
    """Forget every entry up to a position."""
    await tx.run(f'DELETE FROM "_changes" WHERE "id" <= {dialect.placeholder(1)}', (until,))


async def last_change_id(read: Read) -> int:
    """The position of the newest entry; 0 when there is none."""
    return _position(await read('SELECT coalesce(max("id"), 0) FROM "_changes"', ()))


async def first_change_id(read: Read) -> int:
    """The position of the oldest entry that is kept; 0 when there is none."""
    return _position(await read('SELECT coalesce(min("id"), 0) FROM "_changes"', ()))


async def settled_change_id(engine: Engine) -> int:
    """The position up to which the log will not change any more; where to begin when only what comes is wanted."""
    return _position(await engine.read(engine.dialect.settled_change()))


async def changes_since(engine: Engine, position: int, limit: int = 1000) -> list[LoggedChange]:
    """The entries after a position, in their order, up to the first that may still be missing.

    Who asks again with the position of the last one misses none and gets none twice. An
    entry appears once all that were begun before it have ended.
    """
    settled = await settled_change_id(engine)
    if settled <= position:
        return []
    places = [engine.dialect.placeholder(number) for number in (1, 2, 3)]
    sql = f"""SELECT "id", "at", "kind", "collection", "record", "action", "row" FROM "_changes"
        WHERE "id" > {places[0]} AND "id" <= {places[1]} ORDER BY "id" LIMIT {places[2]}"""
    return [_logged(row) for row in await engine.read(sql, (position, settled, limit))]


def _logged(row: Row) -> LoggedChange:
    position, at, kind, collection, record, action, kept = row
    # The columns hold what `append_change` wrote, whose types the driver cannot know.
    return LoggedChange(position, at, Change(kind, collection, record, action), kept)  # type: ignore[arg-type]


def _position(rows: list[Row]) -> int:
    return int(rows[0][0] or 0)
