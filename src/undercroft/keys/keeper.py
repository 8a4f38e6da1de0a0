"""What a process does about its keys while it runs: say what it holds, see that the root key is still there.

Where the root key is kept elsewhere it is asked for again and again, so that whoever
takes it away takes the keys away: what it opened is let go of some time after nobody
could confirm it. The keys are there again as soon as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from undercroft.database.engine import Engine, Transaction
from undercroft.database.refusals import StartRefused
from undercroft.encryption.failures import KeysUnavailable
from undercroft.errors import Problem
from undercroft.keys.audit import Entry, append_entry
from undercroft.keys.counting import save_counts
from undercroft.keys.holders import Presence
from undercroft.keys.opening import open_locked
from undercroft.keys.ring import Keyring

_log = logging.getLogger("undercroft.keys")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are done, in seconds: the root key confirmed, counts written down, a lost root key sought."""

    confirm: float = 60.0
    count: float = 60.0
    first_retry: float = 1.0
    last_retry: float = 30.0
    look: float = 5.0


class Keeper:
    """Looks after the key ring of a process."""

    def __init__(self, engine: Engine, keyring: Keyring, presence: Presence, pace: Pace | None = None) -> None:
        self._engine = engine
        self._keyring = keyring
        self._presence = presence
        self._cache_seconds = keyring.cache_seconds
        self._pace = pace or Pace()
        self._confirm_at = monotonic() + (self._pace.first_retry if keyring.is_locked else self._every)
        self._count_at = monotonic() + self._pace.count
        self._retry = self._pace.first_retry
        self._told = ""

    @property
    def _every(self) -> float:
        return min(self._pace.confirm, self._cache_seconds / 4 or self._pace.confirm)

    @property
    def _must_ask(self) -> bool:
        return self._keyring.root.is_remote or self._keyring.is_locked

    @property
    def _pause(self) -> float:
        if not self._must_ask:
            return self._pace.look
        return min(self._pace.look, max(0.0, self._confirm_at - monotonic()))

    async def run(self) -> None:
        """Look after the ring until cancelled."""
        if not self._keyring.is_locked:
            await self._try(self._tell_unlocked)
        while True:
            for step in (self._confirm, self._appear, self._write_down):
                await self._try(step)
            await self._keyring.ear.heard(self._pause)

    async def leave(self) -> None:
        """Write down what was counted, and say that nothing is held here any more."""
        await self._try(self._save_counts)
        await self._try(self._presence.leave)

    async def _tell_unlocked(self) -> None:
        entry = Entry("root_unlocked", detail={"provider": self._keyring.root.provider})
        await self._engine.write(_appending(self._engine, entry))

    async def _appear(self) -> None:
        if self._keyring.is_locked:
            await self._presence.leave()
        else:
            await self._presence.say(self._keyring.revision)

    async def _write_down(self) -> None:
        for failure in self._keyring.take_failures():
            await self._engine.write(_appending(self._engine, failure))
        if monotonic() >= self._count_at:
            self._count_at = monotonic() + self._pace.count
            await self._save_counts()

    async def _save_counts(self) -> None:
        counts = self._keyring.take_counts()
        if counts:
            await save_counts(self._engine, counts)

    async def _confirm(self) -> None:
        """See that the root key can be had, where it is kept elsewhere, or have it back."""
        if not self._must_ask or monotonic() < self._confirm_at:
            return
        try:
            if self._keyring.is_locked:
                await open_locked(self._engine, self._keyring)
                await self._tell_unlocked()
            else:
                await self._keyring.confirm()
        except (KeysUnavailable, StartRefused) as problem:
            self._miss(problem)
        else:
            self._retry, self._told = self._pace.first_retry, ""
            self._confirm_at = monotonic() + self._every

    def _miss(self, problem: Problem) -> None:
        left = self._cache_seconds - self._keyring.unconfirmed
        if not self._keyring.is_locked and left <= 0:
            self._keyring.lock(KeysUnavailable(problem.message()))
            _log.error("The keys are let go of, since the root key is away: %s", problem.message())
        elif self._told != problem.message():
            self._told = problem.message()
            _log.warning("The root key cannot be confirmed: %s", problem.message())
        pause = self._retry if self._keyring.is_locked else min(self._retry, left)
        self._confirm_at = monotonic() + pause
        self._retry = min(self._retry * 2, self._pace.last_retry)

    async def _try(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do a step; what is wrong with the database is told by those who need it more."""
        try:
            await step()
        except Problem as problem:
            _log.info("The key ring is looked after later: %s", problem)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next turn comes
            _log.warning("The key ring is looked after later.", exc_info=error)


def _appending(engine: Engine, entry: Entry) -> Callable[[Transaction], Awaitable[None]]:
    async def append(tx: Transaction) -> None:
        await append_entry(tx, engine.dialect, entry)

    return append
