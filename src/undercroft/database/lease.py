"""A lease: what only one process may do at a time, until a moment by the database's clock.

A row says who holds it, until when, and its turn, which grows whenever it passes on.
Taking and prolonging are single statements that compare before they change. Nobody's
own clock decides who holds it; the holder's only says when to stop believing so, and
counts from before the database was asked, so it never believes for too long.

A process that was stopped for longer than its lease does not know it. So whatever it
writes as the holder first asks, in the same transaction, whether its turn still lasts;
that also keeps the next one from taking over before the write has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from undercroft.database.engine import Engine, Row, Transaction
from undercroft.errors import Unavailable

SECONDS: Final = 8.0
_ABSURD: Final = 100  # times the length of a lease: an end so far away was set by a clock that was wrong


class LeaseLost(Unavailable):
    """Another process may hold the lease by now."""

    code = "lease_lost"
    default = "This process was stopped for too long, and another one does its work."


@dataclass(frozen=True, slots=True)
class Held:
    """A turn at a lease; `until` is by the clock of this process."""

    turn: int
    until: float


class Lease:
    """One process's claim to a lease, held or not."""

    def __init__(
        self,
        engine: Engine,
        name: str,
        owner: str,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.owner = owner
        self.seconds = seconds
        self._engine = engine
        self._clock = clock
        self._held: Held | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process may still believe that it holds the lease."""
        return self._held is not None and self._clock() < self._held.until

    async def take(self) -> bool:
        """Take the lease if it is free, or prolong it if it is ours; whether it is held now."""
        if self._held is None and await self.remaining() > 0:
            return False
        asked = self._clock()
        self._believe(await self._engine.write(self._swap), asked)
        return self.is_held

    async def remaining(self) -> float:
        """For how many seconds whoever holds the lease has it; 0 when it is free."""
        sql = f'SELECT "until" - {self._engine.dialect.clock()} FROM "_leases" WHERE "name" = {self._place(1)}'
        rows = await self._engine.read(sql, (self.name,))
        left = float(rows[0][0] or 0) if rows else 0.0
        return 0.0 if left > self.seconds * _ABSURD else max(left, 0.0)

    async def check(self, tx: Transaction) -> None:
        """Hold on to the lease until a transaction ends, and prolong it with that.

        Raises `LeaseLost` when it is another's, or may be.
        """
        asked = self._clock()
        turn = _turn(await self._prolong(tx))
        if turn is None:
            self._held = None
            raise LeaseLost
        tx.after_commit(lambda: self._believe(turn, asked))

    async def break_in(self) -> None:
        """Let the lease be free whoever holds it; for a process that knows that the holder is gone."""
        sql = f"""UPDATE "_leases" SET "until" = 0 WHERE "name" = {self._place(1)}"""

        async def free(tx: Transaction) -> None:
            await tx.run(sql, (self.name,))

        await self._engine.write(free)

    async def release(self) -> None:
        """Let another process have the lease at once."""
        if self._held is None:
            return
        turn, self._held = self._held.turn, None
        sql = f"""UPDATE "_leases" SET "until" = 0 WHERE "name" = {self._place(1)} AND "owner" = {self._place(2)}
            AND "turn" = {self._place(3)}"""

        async def give(tx: Transaction) -> None:
            await tx.run(sql, (self.name, self.owner, turn))

        await self._engine.write(give)

    def _believe(self, turn: int | None, asked: float) -> None:
        self._held = None if turn is None else Held(turn, asked + self.seconds)

    async def _swap(self, tx: Transaction) -> int | None:
        """Our turn after one comparing statement; None when somebody else has it."""
        return _turn(await self._prolong(tx)) or _turn(await self._take_over(tx))

    async def _prolong(self, tx: Transaction) -> list[Row]:
        if self._held is None:
            return []
        clock = self._engine.dialect.clock()
        sql = f"""UPDATE "_leases" SET "until" = {clock} + {self._place(1)}
            WHERE "name" = {self._place(2)} AND "owner" = {self._place(3)} AND "turn" = {self._place(4)}
            AND "until" > {clock} RETURNING "turn\""""
        return await tx.run(sql, (self.seconds, self.name, self.owner, self._held.turn))

    async def _take_over(self, tx: Transaction) -> list[Row]:
        add = f"""INSERT INTO "_leases" ("name", "owner", "until", "turn")
            VALUES ({self._place(1)}, '', 0, 0) ON CONFLICT DO NOTHING"""
        await tx.run(add, (self.name,))
        clock = self._engine.dialect.clock()
        sql = f"""UPDATE "_leases" SET "turn" = "turn" + 1,
            "owner" = {self._place(1)}, "until" = {clock} + {self._place(2)}
            WHERE "name" = {self._place(3)} AND ("until" <= {clock} OR "until" > {clock} + {self._place(4)})
            RETURNING "turn\""""
        return await tx.run(sql, (self.owner, self.seconds, self.name, self.seconds * _ABSURD))

    def _place(self, position: int) -> str:
        return self._engine.dialect.placeholder(position)


def _turn(rows: list[Row]) -> int | None:
    return int(rows[0][0] or 0) if rows else None
