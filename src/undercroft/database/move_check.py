"""Will it fit? Reads every value of the source, and tries every definition in the target, keeping nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from undercroft.database.engine import Engine, Row, SqlError, Transaction, UniqueViolation
from undercroft.database.migrations import Migration
from undercroft.database.move_fit import Misfit
from undercroft.database.move_pages import Source, read_pages
from undercroft.database.move_state import Measure
from undercroft.database.move_values import digest
from undercroft.database.moved import MovedColumn, MovedTable, MovePlan

_HASH_RANGE = 2**256


@dataclass(slots=True)
class Tally:
    """Counts rows and sums their digests."""

    columns: Sequence[MovedColumn]
    count: int = 0
    total: int = 0

    def add(self, row: Row) -> None:
        """Count a row."""
        self.count += 1
        self.total = (self.total + digest(self.columns, row)) % _HASH_RANGE

    @property
    def measure(self) -> Measure:
        """What was counted."""
        return Measure(self.count, f"{self.total:064x}")


@dataclass(slots=True)
class Trial:
    """Where definitions are tried, and what came of it."""

    tx: Transaction
    misfits: list[Misfit] = field(default_factory=list)

    async def run(self, sql: str, table: str, part: str) -> bool:
        """Run a statement; a refusal is noted, and undone alone."""
        await self.tx.run("SAVEPOINT tried_part")
        try:
            await self.tx.run(sql)
        except (SqlError, UniqueViolation) as error:
            await self.tx.run("ROLLBACK TO SAVEPOINT tried_part")
            await self.tx.run("RELEASE SAVEPOINT tried_part")
            self.misfits.append(Misfit(table, "", part, "", f"is refused: {_told(error)}"))
            return False
        await self.tx.run("RELEASE SAVEPOINT tried_part")
        return True


class _TriedOut(Exception):
    """Ends a transaction that was only tried."""


async def measure_table(
    source: Source, table: MovedTable, advance: Callable[[int], None], on_row: Callable[[Row], None] | None = None
) -> Measure:
    """Read a whole table: how many rows, and the sum of their digests."""
    tally = Tally(table.columns)
    async for page in read_pages(source, table):
        for row in page.rows:
            tally.add(row)
            if on_row:
                on_row(row)
        advance(len(page.rows))
    return tally.measure


async def try_definitions(target: Engine, plan: MovePlan, format_steps: Sequence[Migration]) -> list[Misfit]:
    """Make every table, index and view in one transaction and undo it; what the target refused."""
    found: list[Misfit] = []

    async def operation(tx: Transaction) -> None:
        found.clear()
        for step in format_steps:
            await step.apply(tx, target.dialect)
        trial = Trial(tx, found)
        for table in plan.tables:
            await _try_table(trial, table)
        for view in plan.views:
            await trial.run(view.sql, view.name, "viewQuery")
        raise _TriedOut

    with suppress(_TriedOut):
        await target.write(operation)
    return found


def _told(error: SqlError | UniqueViolation) -> str:
    return error.detail if isinstance(error, SqlError) else error.message()


async def _try_table(trial: Trial, table: MovedTable) -> None:
    if not table.create or await trial.run(table.create, table.name, ""):
        for index in table.indexes:
            await trial.run(index.sql, table.name, index.name)
