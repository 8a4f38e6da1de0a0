"""The processes that hold keys, and how far each has read their changes.

A new key seals nothing before every process has it. So each says, for a minute at a
time, which revision it has read, and again whenever it has read another; whoever
turns a key waits until all have said so. One that was killed is waited for until its
minute is over.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from time import monotonic
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction

PRESENT_SECONDS: Final = 60.0
_RENEW_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds keys; `label` is its machine and process number."""

    owner: str
    label: str
    revision: int


class Presence:
    """What this process says of itself, under the name `owner`."""

    def __init__(self, engine: Engine, owner: str) -> None:
        self._engine = engine
        self._owner = owner
        self._label = f"{socket.gethostname()}:{os.getpid()}"
        self._said = -1
        self._until = 0.0

    async def say(self, revision: int) -> None:
        """Say which revision is held here, unless that was said a moment ago."""
        if revision == self._said and monotonic() < self._until:
            return
        mark, clock = self._engine.dialect.placeholder, self._engine.dialect.clock()
        sql = f"""INSERT INTO "_key_holders" ("owner", "label", "revision", "until")
            VALUES ({mark(1)}, {mark(2)}, {mark(3)}, {clock} + {mark(4, "number")})
            ON CONFLICT ("owner") DO UPDATE SET "revision" = excluded."revision", "until" = excluded."until\""""

        async def write(tx: Transaction) -> None:
            await tx.run(sql, (self._owner, self._label, revision, PRESENT_SECONDS))

        await self._engine.write(write)
        self._said, self._until = revision, monotonic() + _RENEW_SECONDS

    async def leave(self) -> None:
        """Say that nothing is held here any more."""
        sql = f'DELETE FROM "_key_holders" WHERE "owner" = {self._engine.dialect.placeholder(1)}'

        async def write(tx: Transaction) -> None:
            await tx.run(sql, (self._owner,))

        if self._until:
            self._until = 0.0
            await self._engine.write(write)


async def list_holders(engine: Engine) -> list[Holder]:
    """All processes that hold keys now."""
    clock = engine.dialect.clock()
    sql = f'SELECT "owner", "label", "revision" FROM "_key_holders" WHERE "until" > {clock} ORDER BY "label"'
    rows = await engine.read(sql)
    return [Holder(str(owner), str(label), int(revision or 0)) for owner, label, revision in rows]


async def has_old_holders(engine: Engine) -> bool:
    """Whether there is one whose time is over."""
    return bool(await engine.read(f'SELECT 1 FROM "_key_holders" WHERE "until" <= {engine.dialect.clock()} LIMIT 1'))


async def forget_old_holders(tx: Transaction, dialect: Dialect) -> None:
    """Forget those whose time is over."""
    await tx.run(f'DELETE FROM "_key_holders" WHERE "until" <= {dialect.clock()}')
