"""The other processes on the same database: whether clients listen there, and wishes for clients that are elsewhere.

A connection is held by one process, and the request that says what it wants to hear may reach
another. That one writes the wish down for the holder, whom the client's id names, and waits
for the answer. Who holds clients says so in the database, for a while at a time; the others then
wake it after their writes. Where nobody listens nothing of this is written, and nobody is woken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Final

import msgspec

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Row, Transaction, Value
from undercroft.database.wakeup import Wakeup
from undercroft.errors import Unavailable
from undercroft.ids import record_id

_PRESENT_SECONDS: Final = 30.0
_RENEW_SECONDS: Final = 10.0
_PATIENCE: Final = 5.0
_LOOK_SECONDS: Final = 0.1


class NoAnswer(Unavailable):
    """The process that holds a connection did not answer in time."""

    code = "no_answer"


class Said(msgspec.Struct, frozen=True, tag=True):
    """A message for a client of another process: JSON under a topic.

    It is only for a client at an address, if there is one; the last is followed by no other under its topic.
    """

    topic: str
    data: msgspec.Raw
    address: str = ""
    is_last: bool = False


class Asked(msgspec.Struct, frozen=True, tag=True):
    """A wish that was written down for a client of another process."""

    topics: Sequence[str]
    address: str
    expires: float
    session: str
    account_collection: str
    account: str
    proof: str


Answer = Callable[[str, Asked | Said], Awaitable[str]]
"""What fulfils a wish for a client, or tells it something: the code of what was wrong, or `ok`."""


class Neighbours:
    """One process among others. `owner` is its name, which the ids of its clients begin with."""

    def __init__(self, engine: Engine, wakeup: Wakeup, owner: str, answer: Answer) -> None:
        self.others_listen = False
        self._engine = engine
        self._wakeup = wakeup
        self._owner = owner
        self._answer = answer
        self._present_until = 0.0
        self._heard = asyncio.Event()

    def ring(self) -> None:
        """Wake the others, if clients listen there."""
        if self.others_listen:
            self._wakeup.ring()

    async def appear(self) -> None:
        """Let the others know that clients listen here, if they may have forgotten."""
        if monotonic() < self._present_until:
            return
        is_new = not self._present_until
        mark, clock = self._engine.dialect.placeholder, self._engine.dialect.clock()
        sql = f"""INSERT INTO "_listeners" ("owner", "until") VALUES ({mark(1)}, {clock} + {mark(2, "number")})
            ON CONFLICT ("owner") DO UPDATE SET "until" = excluded."until\""""
        await self._write(sql, (self._owner, _PRESENT_SECONDS))
        self._present_until = monotonic() + _RENEW_SECONDS
        if is_new:
            self._wakeup.ring()

    async def leave(self) -> None:
        """Let the others know that nobody listens here any more."""
        if self._present_until:
            self._present_until = 0.0
            await self._write(f'DELETE FROM "_listeners" WHERE "owner" = {self._mark(1)}', (self._owner,))

    async def look(self) -> None:
        """See what the others wrote: whether they listen, what they wish, what they answered."""
        heard, self._heard = self._heard, asyncio.Event()
        heard.set()
        clock = self._engine.dialect.clock()
        sql = f"""SELECT 1 FROM "_listeners" WHERE "owner" <> {self._mark(1)} AND "until" > {clock} LIMIT 1"""
        self.others_listen = bool(await self._engine.read(sql, (self._owner,)))
        if self._present_until:
            await self._fulfil()

    async def pass_on(self, owner: str, client: str, asked: Asked | Said) -> str:
        """The holder's answer to a wish; empty when there is no such process. Raises `NoAnswer`."""
        clock = self._engine.dialect.clock()
        there = f'SELECT 1 FROM "_listeners" WHERE "owner" = {self._mark(1)} AND "until" > {clock}'
        if not await self._engine.read(there, (owner,)):
            return ""
        name = record_id()
        marks = ", ".join(self._mark(n) for n in range(1, 5))
        sql = f"""INSERT INTO "_wishes" ("id", "owner", "client", "wish", "until")
            VALUES ({marks}, {clock} + {self._mark(5)})"""
        wish = self._engine.texts.seal_text(_place(name), msgspec.json.encode(asked).decode())
        await self._write(sql, (name, owner, client, wish, _PRESENT_SECONDS))
        self._wakeup.ring()
        try:
            return await self._wait_for(name)
        finally:
            await self._write(f'DELETE FROM "_wishes" WHERE "id" = {self._mark(1)}', (name,))

    async def _wait_for(self, name: str) -> str:
        until = monotonic() + _PATIENCE
        sql = f'SELECT "answer" FROM "_wishes" WHERE "id" = {self._mark(1)}'
        while monotonic() < until:
            heard = self._heard
            rows = await self._engine.read(sql, (name,))
            if rows and rows[0][0]:
                return str(rows[0][0])
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await heard.wait()
            except TimeoutError:
                continue
        raise NoAnswer

    async def _fulfil(self) -> None:
        sql = f"""SELECT "id", "client", "wish" FROM "_wishes" WHERE "owner" = {self._mark(1)} AND "answer" = ''"""
        for name, client, wish in await self._engine.read(sql, (self._owner,)):
            opened = self._engine.texts.open_text(_place(str(name)), str(wish))
            answer = await self._answer(str(client), _read(opened))
            done = f'UPDATE "_wishes" SET "answer" = {self._mark(1)} WHERE "id" = {self._mark(2)}'
            await self._write(done, (answer, name))
            self._wakeup.ring()

    async def _write(self, sql: str, values: Sequence[Value]) -> list[Row]:
        async def run(tx: Transaction) -> list[Row]:
            return await tx.run(sql, values)

        return await self._engine.write(run)

    def _mark(self, position: int) -> str:
        return self._engine.dialect.placeholder(position)


def _place(name: str) -> str:
    return f"_wishes|wish|{name}"


async def has_old_listeners(engine: Engine) -> bool:
    """Whether anything is written down here whose time is over."""
    clock = engine.dialect.clock()
    for table in _TABLES:
        if await engine.read(f'SELECT 1 FROM "{table}" WHERE "until" <= {clock} LIMIT 1', ()):
            return True
    return False


async def forget_old_listeners(tx: Transaction, dialect: Dialect) -> None:
    """Forget what is over."""
    for table in _TABLES:
        await tx.run(f'DELETE FROM "{table}" WHERE "until" <= {dialect.clock()}')


def _read(text: str) -> Asked | Said:
    found: Asked | Said = msgspec.json.decode(text, type=Asked | Said)
    return found


_TABLES: Final = ("_listeners", "_wishes", "_hearers")
