"""Crons: at each moment at which one is due a job is put in, once, by whichever process is first.

When a cron was last due stands in the database. Who moves that on, by a statement that compares
before it changes, puts the job in with it, in one transaction: so however many processes look,
there is one job a moment, and none is missed while nobody looked. Time is the database's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from undercroft.database.engine import Engine, Transaction
from undercroft.errors import Problem
from undercroft.jobs.job import Job, order
from undercroft.jobs.queue import enqueue
from undercroft.jobs.schedule import due_tick, is_from_a_wrong_clock, next_tick

_LONGEST: Final = 30.0  # seconds between two looks, for clocks jump
_log = logging.getLogger("undercroft")


class Crons:
    """Puts in the jobs of the crons there are."""

    def __init__(self, engine: Engine, crons: Callable[[], Sequence[Job]]) -> None:
        self._engine = engine
        self._crons = crons
        self._has_failed = False

    async def run(self) -> None:
        """Look whenever one is due, until cancelled."""
        while True:
            pause = _LONGEST
            try:
                pause = await self.look()
                self._has_failed = False
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look comes
                self._tell(error)
            await asyncio.sleep(pause)

    async def look(self) -> float:
        """Put in what is due; how many seconds to wait until the next look."""
        crons = self._crons()
        if not crons:
            return _LONGEST
        clock = float((await self._engine.read(f"SELECT {self._engine.dialect.clock()}"))[0][0] or 0)
        rows = await self._engine.read('SELECT "name", "last" FROM "_crons"')
        last = {str(name): float(moment or 0) for name, moment in rows}
        for cron in crons:
            await self._judge(cron, last.get(cron.name), clock)
        soonest = min(next_tick(cron.expression, clock) for cron in crons)
        return min(max(soonest - clock, 0.0) + 0.01, _LONGEST)

    async def _judge(self, cron: Job, last: float | None, clock: float) -> None:
        if last is None:
            await self._engine.write(lambda tx: self._begin(tx, cron.name, clock))
        elif is_from_a_wrong_clock(last, clock):
            _log.warning("The clock went back by more than an hour: cron %r begins anew.", cron.name)
            await self._engine.write(lambda tx: self._move(tx, cron.name, last, clock))
        elif (tick := due_tick(cron.expression, last, clock)) is not None:
            await self._engine.write(lambda tx: self._fire(tx, cron, last, tick))

    async def _begin(self, tx: Transaction, name: str, moment: float) -> None:
        mark = self._engine.dialect.placeholder
        sql = f'INSERT INTO "_crons" ("name", "last") VALUES ({mark(1)}, {mark(2, "number")}) ON CONFLICT DO NOTHING'
        await tx.run(sql, (name, moment))

    async def _move(self, tx: Transaction, name: str, last: float, moment: float) -> bool:
        """Move on from one moment to another; whether nobody was quicker."""
        mark = self._engine.dialect.placeholder
        sql = f"""UPDATE "_crons" SET "last" = {mark(1, "number")}
            WHERE "name" = {mark(2)} AND "last" = {mark(3, "number")} RETURNING "name\""""
        return bool(await tx.run(sql, (moment, name, last)))

    async def _fire(self, tx: Transaction, cron: Job, last: float, tick: float) -> None:
        if await self._move(tx, cron.name, last, tick):
            await enqueue(tx, self._engine.dialect, order(cron, {}))

    def _tell(self, error: Exception) -> None:
        """Once, not again and again while it lasts."""
        if not self._has_failed:
            self._has_failed = True
            fault = None if isinstance(error, Problem) else error
            _log.warning("Crons have to wait: %s", error, exc_info=fault)
