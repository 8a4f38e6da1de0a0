"""The data format: numbered steps, each done once and whole.

A step and the note that it was done share one commit, so an interruption leaves the
old format or the new one. Several processes may start at once: each asks again
once it holds the writer. Published steps never change; a new format is a new step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.database.refusals import NewerDataFormat
from undercroft.dates import now


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from a data format to the next."""

    number: int
    name: str
    apply: Callable[[Transaction, Dialect], Awaitable[None]]


async def migrate(engine: Engine, steps: Sequence[Migration]) -> list[Migration]:
    """Bring the data to the newest format; the steps that were taken. Raises `NewerDataFormat`."""
    taken = []
    while step := await engine.write(lambda tx: _take_next(tx, engine.dialect, steps), alone=True):
        taken.append(step)
    return taken


async def _take_next(tx: Transaction, dialect: Dialect, steps: Sequence[Migration]) -> Migration | None:
    done = await _last_number(tx, dialect)
    newest = max(step.number for step in steps)
    if done > newest:
        raise NewerDataFormat(done, newest)
    step = min((step for step in steps if step.number > done), key=lambda step: step.number, default=None)
    if step is not None:
        await step.apply(tx, dialect)
        await _note(tx, dialect, step)
    return step


async def _last_number(tx: Transaction, dialect: Dialect) -> int:
    text = dialect.column_type("text")
    await tx.run(f'CREATE TABLE IF NOT EXISTS "_migrations" ("number" INTEGER PRIMARY KEY, "name" {text}, "at" {text})')
    rows = await tx.run('SELECT coalesce(max("number"), 0) FROM "_migrations"')
    return int(rows[0][0] or 0)


async def _note(tx: Transaction, dialect: Dialect, step: Migration) -> None:
    places = ", ".join(dialect.placeholder(position) for position in (1, 2, 3))
    sql = f'INSERT INTO "_migrations" ("number", "name", "at") VALUES ({places})'
    await tx.run(sql, (step.number, step.name, now()))
