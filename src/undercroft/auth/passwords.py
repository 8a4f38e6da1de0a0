"""Hashing beside the event loop, with a queue that ends.

A hash costs 40 ms of a core and 19 MiB. A few threads make them; a flood of
logins waits up to a limit and past it is refused at once, so that it can
neither take all cores nor hold up those who only read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from math import ceil
from time import monotonic
from typing import Final, TypeVar

from msgspec import UNSET

from undercroft.breached import BreachedPasswords
from undercroft.collections.fields.password import BREACHED, PasswordField
from undercroft.errors import FieldError, Unavailable
from undercroft.passwords import DUMMY_HASH, Verdict, encode_password, hash_password, verify_password
from undercroft.priority import give_way, spare_cores
from undercroft.records.draft import Draft

T = TypeVar("T")
_PACE: Final = 0.05  # seconds that one log-in takes of a core
_LONGEST_WAIT: Final = 10.0


class LoginsBusy(Unavailable):
    """More passwords are waiting to be checked than the queue holds."""

    code = "logins_busy"
    default = "Too many people are logging in. Try again in a moment."


@dataclass(slots=True)
class _Turn:
    """Who tries passwords of one account now, and how many want to."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: int = 0


class PasswordPool:
    """Threads that hash and verify: `workers` at a time, `waiting` more in line.

    They also look passwords up among `breached` ones, where such a list is.
    """

    def __init__(self, workers: int = 0, waiting: int = 32, breached: BreachedPasswords | None = None) -> None:
        count = workers or spare_cores()
        self._breached = breached
        self._limit = count + waiting
        self._taken = 0
        self._inside = 0
        self._room_at = 0.0
        self._turns: dict[str, _Turn] = {}
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="passwords", initializer=give_way)

    async def hash(self, text: str) -> str:
        """A new hash of the text. Raises `UnusablePassword` and `LoginsBusy`."""
        encode_password(text)
        return await self._run(lambda: hash_password(text))

    async def verify(self, text: str, stored: str) -> Verdict:
        """Whether the text is the password behind a stored hash.

        An account without a password costs what others cost. Raises
        `UnusablePassword`, `LoginsBusy` and `BcryptMissing`.
        """
        encode_password(text)
        return await self._run(lambda: verify_password(text, stored or DUMMY_HASH))

    async def verify_dummy(self, text: str) -> Verdict:
        """Take as long as `verify` does, for an account that does not exist; never right."""
        return await self.verify(text, DUMMY_HASH)

    async def judge(self, draft: Draft, field: PasswordField) -> FieldError | None:
        """Why the password that a draft would set is refused by the policy of its field.

        Raises `UnusablePassword`, `LoginsBusy` and `BadPasswordList`.
        """
        text, breached = draft.values[field.name], self._breached
        if error := field.check_personal(text, draft.values):
            return error
        is_looked_up = draft.collection.is_auth if field.not_breached is UNSET else field.not_breached
        if breached is None or not is_looked_up:
            return None
        return BREACHED if await self._run(lambda: breached.holds(text)) else None

    @contextmanager
    def entering(self) -> Iterator[None]:
        """Be one of those who log in; whoever is too many is told so before anything is looked up.

        Raises `LoginsBusy`.
        """
        if self._inside >= self._limit:
            raise self._too_many()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    def is_tried(self, whose: str) -> bool:
        """Whether somebody in this process is trying passwords of somebody."""
        return whose in self._turns

    @asynccontextmanager
    async def turn(self, whose: str) -> AsyncIterator[None]:
        """Wait until nobody else in this process is trying passwords of somebody."""
        turn = self._turns.setdefault(whose, _Turn())
        turn.wanted += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[whose]

    def close(self) -> None:
        """Let what runs finish and drop what waits."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._taken >= self._limit:
            raise self._too_many()
        self._taken += 1
        job = self._threads.submit(work)
        loop = asyncio.get_running_loop()
        # A thread goes on when nobody waits for it any more, and until then its place is taken.
        job.add_done_callback(lambda _: self._leave(loop))
        return await asyncio.wrap_future(job, loop=loop)

    def _too_many(self) -> LoginsBusy:
        """What refuses somebody, and tells each to come back at another time, for they would all be too many again."""
        clock = monotonic()
        self._room_at = min(max(self._room_at, clock) + _PACE, clock + _LONGEST_WAIT)
        return LoginsBusy(retry_after=ceil(self._room_at - clock))

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        # The loop may be gone, and with it everyone who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._free)

    def _free(self) -> None:
        self._taken -= 1
