"""The postman: sends what is in the outbox, in the background of every process.

Whoever puts a letter in wakes the postman of its own process once the transaction is durable;
what is left by others, or is due again, is found by looking every few seconds. A letter that
does not get through is tried again later and later until it expires, and then given up and kept.

When the mail server is away, trying every letter would help none: after a failure that
would have met any other letter too, a postman waits, and then tries with one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import uniform
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.database.wakeup import Ear
from undercroft.errors import Problem
from undercroft.mail.carrier import Carrier, NotSent
from undercroft.mail.outbox import Claimed, bury, claim, put_back, release_claims, seconds_until_due, settle

_LATE: Final = "It did not get through in time."
_log = logging.getLogger("undercroft")


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast and how often; in seconds. `at_once` counts the letters on their way in all processes together."""

    at_once: int = 8
    look_every: float = 3.0
    claim: float = 120.0
    first_delay: float = 10.0
    growth: float = 3.0
    longest_delay: float = 6 * 3600.0
    first_rest: float = 2.0
    longest_rest: float = 60.0
    farewell: float = 10.0

    def delay(self, attempts: int) -> float:
        """How long a letter waits after that many attempts; not quite regular, so that they spread."""
        regular = min(self.first_delay * self.growth ** (attempts - 1), self.longest_delay)
        return regular * uniform(0.8, 1.2)  # noqa: S311 - nobody gains by guessing it


Ending = Callable[[Transaction, Dialect], Awaitable[None]]


class Postman:
    """Sends letters until it is told to stop; one that `is_alone` knows that nobody else does."""

    def __init__(self, engine: Engine, carrier: Carrier, pace: Pace | None = None, *, is_alone: bool = False) -> None:
        self._engine = engine
        self._carrier = carrier
        self._pace = pace or Pace()
        self._has_to_release = is_alone
        self._ear = Ear()
        self._on_the_way: set[asyncio.Task[None]] = set()
        self._rest = 0.0
        self._rests_until = 0.0
        self._is_leaving = False
        self._has_failed = False

    def wake(self) -> None:
        """There may be something to send."""
        self._ear.wake()

    async def run(self) -> None:
        """Send what is due, again and again, until `stop`."""
        while not self._is_leaving:
            pause = self._pace.look_every
            try:
                pause = await self._look()
                self._has_failed = False
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look comes
                self._tell(error)
            await self._ear.heard(max(pause, 0.05))

    async def stop(self) -> None:
        """Take no more letters, and let those on their way arrive, if they do so soon."""
        self._is_leaving = True
        self._ear.wake()
        if self._on_the_way:
            await asyncio.wait(self._on_the_way, timeout=self._pace.farewell)
        for task in self._on_the_way:
            task.cancel()
        await asyncio.gather(*self._on_the_way, return_exceptions=True)

    async def _look(self) -> float:
        """Send what can be sent now; how long to wait until the next look."""
        if self._has_to_release:
            await release_claims(self._engine)
            self._has_to_release = False
        pace, now = self._pace, asyncio.get_running_loop().time()
        if now < self._rests_until:
            return min(self._rests_until - now, pace.look_every)
        free = (1 if self._rest else pace.at_once) - len(self._on_the_way)
        due = await seconds_until_due(self._engine)
        if due is None or due > 0 or free < 1:
            return min(due, pace.look_every) if due and due > 0 else pace.look_every
        taken = await self._engine.write(lambda tx: self._claim(tx, free))
        for letter in taken:
            task = asyncio.create_task(self._deliver(letter))
            self._on_the_way.add(task)
            task.add_done_callback(self._return)
        return pace.look_every

    async def _claim(self, tx: Transaction, most: int) -> list[Claimed]:
        return await claim(tx, self._engine.dialect, most, self._pace.claim, self._pace.at_once)

    def _return(self, task: asyncio.Task[None]) -> None:
        self._on_the_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell(error)
        self._ear.wake()

    async def _deliver(self, letter: Claimed) -> None:
        if letter.is_late:
            return await self._give_up(letter, f"{_LATE} {letter.note}".rstrip())
        try:
            answer = await self._carrier.carry(letter.posted)
        except NotSent as problem:
            await self._fail(letter, problem)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not keep the letter for ever
            _log.error("Letter %s met a fault.", letter.posted.id, exc_info=error)
            await self._fail(letter, NotSent(f"{type(error).__name__} in this server"))
        else:
            self._rest = 0.0
            await self._note(lambda tx, dialect: settle(tx, dialect, letter, answer))

    async def _fail(self, letter: Claimed, problem: NotSent) -> None:
        note = problem.message()
        if problem.is_final:
            return await self._give_up(letter, note)
        delay = self._pace.delay(letter.attempts)
        if problem.is_general:
            self._lie_down(note)
            delay = min(delay, self._pace.longest_rest)
        return await self._note(lambda tx, dialect: put_back(tx, dialect, letter, note, delay))

    async def _give_up(self, letter: Claimed, note: str) -> None:
        await self._note(lambda tx, dialect: bury(tx, dialect, letter, note))
        name = letter.posted.id
        _log.warning("Letter %s is given up: %s See `undercroft mail show %s`.", name, note, name)

    def _lie_down(self, note: str) -> None:
        """Try no letter for a while, each time longer; those that fail together count once."""
        now = asyncio.get_running_loop().time()
        if now < self._rests_until:
            return
        if not self._rest:
            _log.warning("Letters have to wait: %s", note)
        self._rest = min(self._rest * 2 or self._pace.first_rest, self._pace.longest_rest)
        self._rests_until = now + self._rest

    async def _note(self, ending: Ending) -> None:
        """Write down what became of a letter; as long as that fails, its claim keeps others from sending it again."""
        until = asyncio.get_running_loop().time() + self._pace.claim / 2
        while True:
            try:
                return await self._engine.write(lambda tx: ending(tx, self._engine.dialect))
            except Problem:
                if asyncio.get_running_loop().time() > until:
                    raise
                await asyncio.sleep(1)

    def _tell(self, error: BaseException) -> None:
        """Once, not again and again while it lasts."""
        if not self._has_failed:
            self._has_failed = True
            fault = None if isinstance(error, Problem) else error
            _log.warning("The outbox cannot be worked on: %s", error, exc_info=fault)
