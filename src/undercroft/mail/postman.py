"""The postman: sends what is in the outbox, in the background of every process.

A letter that does not get through is tried again later and later until it expires, and then
given up and kept.

When the mail server is away, trying every letter would help none: after a failure that
would have met any other letter too, a postman waits, and then tries with one.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from undercroft.database import queue_worker
from undercroft.database.engine import Engine, Transaction
from undercroft.database.queue import Ending
from undercroft.mail.carrier import Carrier, NotSent
from undercroft.mail.outbox import LETTERS, Claimed, claim_letters, sent

_LATE: Final = "It did not get through in time."
_log = logging.getLogger("undercroft")


@dataclass(frozen=True, slots=True)
class Pace(queue_worker.Pace):
    """How fast and how often; in seconds. `at_once` counts the letters on their way in all processes together."""

    claim: float = 120.0
    first_delay: float = 10.0
    first_rest: float = 2.0
    longest_rest: float = 60.0


class Postman(queue_worker.QueueWorker[Claimed]):
    """Sends letters until it is told to stop; one that `is_alone` knows that nobody else does."""

    _pace: Pace

    def __init__(self, engine: Engine, carrier: Carrier, pace: Pace | None = None, *, is_alone: bool = False) -> None:
        super().__init__(engine, LETTERS, pace or Pace(), "The outbox", is_alone=is_alone)
        self._carrier = carrier
        self._rest = 0.0
        self._rests_until = 0.0

    def most_at_once(self) -> int:
        """One, while it is not known whether the mail server is back."""
        return 1 if self._rest else self._pace.at_once

    def rest(self) -> float:
        """For how long no letter is tried."""
        return self._rests_until - asyncio.get_running_loop().time()

    async def take(self, tx: Transaction, most: int) -> list[Claimed]:
        """At most so many letters that are due."""
        return await claim_letters(tx, self._engine.dialect, most, self._pace.claim, self._pace.at_once)

    async def do(self, letter: Claimed) -> Ending:
        """Send a letter; what becomes of it."""
        if letter.is_late:
            return _give_up(letter, f"{_LATE} {letter.note}".rstrip())
        try:
            answer = await self._carrier.carry(letter.posted)
        except NotSent as problem:
            return self._fail(letter, problem)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not keep the letter for ever
            _log.error("Letter %s met a fault.", letter.id, exc_info=error)
            return self._fail(letter, NotSent(f"{type(error).__name__} in this server"))
        self._rest = 0.0
        return sent(answer)

    def _fail(self, letter: Claimed, problem: NotSent) -> Ending:
        note = problem.message()
        if problem.is_final:
            return _give_up(letter, note)
        delay = self._pace.delay(letter.attempt)
        if problem.is_general:
            self._lie_down(note)
            delay = min(delay, self._pace.longest_rest)
        return Ending("waiting", note, delay)

    def _lie_down(self, note: str) -> None:
        """Try no letter for a while, each time longer; those that fail together count once."""
        now = asyncio.get_running_loop().time()
        if now < self._rests_until:
            return
        if not self._rest:
            _log.warning("Letters have to wait: %s", note)
        self._rest = min(self._rest * 2 or self._pace.first_rest, self._pace.longest_rest)
        self._rests_until = now + self._rest


def _give_up(letter: Claimed, note: str) -> Ending:
    _log.warning("Letter %s is given up: %s See `undercroft mail show %s`.", letter.id, note, letter.id)
    return Ending("dead", note)
