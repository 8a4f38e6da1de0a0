"""What must be done now and then, and by one process only.

Every process of a server runs a leader, and the one that holds the lease does the
duties. The others look again when its lease could have ended, at the latest.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.errors import Problem

_MARGIN: Final = 0.05  # seconds after the end of another's lease until we ask for it
_log = logging.getLogger("undercroft")


class Claim(Protocol):
    """What says whether this process is the one: a `Lease`, or `Always`."""

    seconds: float

    async def take(self) -> bool: ...
    async def remaining(self) -> float: ...
    async def check(self, tx: Transaction) -> None: ...
    async def release(self) -> None: ...


class Always:
    """The claim of a process that has the database to itself."""

    seconds: float = 10.0

    async def take(self) -> bool:
        """There is nobody else."""
        return True

    async def remaining(self) -> float:
        """Nobody else has it."""
        return 0.0

    async def check(self, tx: Transaction) -> None:
        """It cannot be lost."""

    async def release(self) -> None:
        """There is nobody to give it to."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to do every so many seconds, if there is anything to do.

    `is_needed` only reads, so that nothing is written when there is nothing to do;
    `run` is done again at once for as long as it is needed.
    """

    name: str
    every: float
    is_needed: Callable[[Engine], Awaitable[bool]]
    run: Callable[[Transaction, Dialect], Awaitable[None]]


class Leader:
    """Does the duties while the claim is this process's."""

    def __init__(self, engine: Engine, claim: Claim, duties: Sequence[Duty]) -> None:
        self._engine = engine
        self._claim = claim
        self._due = dict.fromkeys(duties, 0.0)
        self._has_failed = False

    async def run(self) -> None:
        """Lead whenever nobody else does, until cancelled."""
        while True:
            pause = self._claim.seconds / 3
            try:
                if await self._claim.take():
                    await self.do_duties()
                else:
                    pause = min(pause, await self._claim.remaining() + _MARGIN)
                self._has_failed = False
            except Exception as error:  # noqa: BLE001 - whatever it is, the next turn comes
                self._tell(error)
            await asyncio.sleep(pause)

    async def do_duties(self) -> None:
        """Do what is due. Raises `LeaseLost` once the claim is another's."""
        for duty, due in list(self._due.items()):
            if time.monotonic() >= due:
                self._due[duty] = time.monotonic() + duty.every
                await self._do(duty)

    async def resign(self) -> None:
        """Let another process lead; do this after `run` was cancelled."""
        try:
            await self._claim.release()
        except Problem as problem:
            self._tell(problem)

    async def _do(self, duty: Duty) -> None:
        async def act(tx: Transaction) -> None:
            await self._claim.check(tx)
            await duty.run(tx, self._engine.dialect)

        while await duty.is_needed(self._engine):
            await self._engine.write(act)

    def _tell(self, error: Exception) -> None:
        """Once, not again and again while it lasts."""
        if not self._has_failed:
            self._has_failed = True
            fault = None if isinstance(error, Problem) else error
            _log.warning("What one process does for all has to wait: %s", error, exc_info=fault)
