"""A table as a queue: who takes a row claims it for a while, and whoever dies loses it to the next.

A row waits until it is due. Taking it counts an attempt and sets when the claim ends; a row
whose claim has ended was left by a process that died, and is taken again. Whatever is said of
a row later names its attempt: so a process that comes back too late changes nothing.

A clock that was wrong must not put rows off for ever: the end of a claim, or of a wait between
two attempts, that lies absurdly far away was told by such a clock, and counts as over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from undercroft.database.dialect import ColumnKind, Dialect
from undercroft.database.engine import Engine, Row, Transaction, Value
from undercroft.dates import now

ABSURD: Final = 2 * 86_400.0
"""Seconds: no claim and no wait between attempts is longer than half of this."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A table with `id`, `state`, `due`, `attempts`, `note` and `updated`; `columns` is what whoever takes a row gets.

    Whoever puts a row in announces its `kind`. `busy` is the state of rows that are taken;
    the others wait in the state `waiting`. Rows that are over are kept for so many days as
    `kept` says of their state. Where rows `expire`, their column `until` says when: a row is
    due once more then, and no later.
    """

    table: str
    kind: str
    columns: tuple[str, ...]
    busy: str
    kept: Mapping[str, int]
    expire: bool = False

    @property
    def is_open(self) -> str:
        """The condition that something is still to be done."""
        return f""""state" IN ('waiting', '{self.busy}')"""

    def is_due(self, clock: str) -> str:
        """The condition that it can be done now."""
        absurd = f'"attempts" > 0 AND "due" > {clock} + {ABSURD}'
        return f'{self.is_open} AND ("due" <= {clock} OR ({absurd}))'


async def seconds_until_due(engine: Engine, queue: Queue) -> float | None:
    """How long until something can be taken; 0 or less when it can be now, None when nothing waits."""
    clock = engine.dialect.clock()
    due = f'CASE WHEN "attempts" > 0 AND "due" > {clock} + {ABSURD} THEN 0 ELSE "due" END'
    rows = await engine.read(f"""SELECT min({due}) - {clock} FROM "{queue.table}" WHERE {queue.is_open}""")
    return None if rows[0][0] is None else float(rows[0][0])


async def claim(tx: Transaction, dialect: Dialect, queue: Queue, most: int, seconds: float) -> list[Row]:
    """At most so many rows that are due, taken for some seconds: their columns, and the number of the attempt.

    Where rows expire, it is also said whether the row has.
    """
    clock, mark = dialect.clock(), dialect.placeholder
    columns = ", ".join(dialect.quote(name) for name in (*queue.columns, "attempts"))
    columns += f', "until" <= {clock}' if queue.expire else ""
    chosen = f"""SELECT "id" FROM "{queue.table}" WHERE {queue.is_due(clock)}
        ORDER BY "due", "id" LIMIT {mark(2)}{dialect.skip_locked()}"""
    sql = f"""UPDATE "{queue.table}" SET "state" = '{queue.busy}', "due" = {clock} + {mark(1, "number")},
        "attempts" = "attempts" + 1 WHERE "id" IN ({chosen}) RETURNING {columns}"""
    return await tx.run(sql, (seconds, most))


async def prolong(
    tx: Transaction, dialect: Dialect, queue: Queue, held: Sequence[tuple[str, int]], seconds: float
) -> set[str]:
    """Hold on to rows by their ids and attempts; the ids of those that are still held."""
    kept: set[str] = set()
    mark, clock = dialect.placeholder, dialect.clock()
    sql = f"""UPDATE "{queue.table}" SET "due" = {clock} + {mark(1, "number")}
        WHERE "id" = {mark(2)} AND "state" = '{queue.busy}' AND "attempts" = {mark(3)} RETURNING "id\""""
    for row_id, attempt in held:
        if await tx.run(sql, (seconds, row_id, attempt)):
            kept.add(row_id)
    return kept


@dataclass(frozen=True, slots=True)
class Ending:
    """What becomes of a row that was taken: its state, a note, in how many seconds it is due again, other columns."""

    state: str
    note: str = ""
    delay: float | None = None
    others: Mapping[str, tuple[ColumnKind, Value]] | None = None


async def end(tx: Transaction, dialect: Dialect, queue: Queue, held: tuple[str, int], ending: Ending) -> bool:
    """Say what became of a row; False when it is not held any more, so that nothing was changed."""
    mark = dialect.placeholder
    values: list[Value] = [ending.state, ending.note, now()]
    due = "0"
    if ending.delay is not None:
        values.append(ending.delay)
        due = f"{dialect.clock()} + {mark(len(values), 'number')}"
    if ending.delay is not None and queue.expire:
        values.append(ending.delay)
        sooner = f"{dialect.clock()} + {mark(len(values), 'number')}"
        due = f'CASE WHEN {sooner} < "until" THEN {due} ELSE "until" END'
    sets = ""
    for name, (kind, value) in (ending.others or {}).items():
        values.append(value)
        sets += f', "{name}" = {mark(len(values), kind)}'
    places = mark(len(values) + 1), mark(len(values) + 2)
    sql = f"""UPDATE "{queue.table}" SET "state" = {mark(1)}, "note" = {mark(2)}, "updated" = {mark(3, "date")},
        "due" = {due}{sets} WHERE "id" = {places[0]} AND "state" = '{queue.busy}' AND "attempts" = {places[1]}
        RETURNING "id\""""
    return bool(await tx.run(sql, [*values, *held]))


async def release_all(engine: Engine, queue: Queue) -> None:
    """Let go of every claim, where nobody else can be at work."""
    busy = f"""FROM "{queue.table}" WHERE "state" = '{queue.busy}'"""
    if not await engine.read(f"SELECT 1 {busy} LIMIT 1"):
        return

    async def release(tx: Transaction) -> None:
        await tx.run(f"""UPDATE "{queue.table}" SET "state" = 'waiting', "due" = 0 WHERE "state" = '{queue.busy}'""")

    await engine.write(release)
