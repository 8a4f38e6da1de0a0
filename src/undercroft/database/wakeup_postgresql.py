"""Wake-ups between the nodes on one PostgreSQL: LISTEN and NOTIFY on a connection that does nothing else.

A NOTIFY inside a user's transaction would make all of them commit one after the other,
for PostgreSQL delivers notifications in the order of commits. Here it comes after the
commit, from this connection; while one is on its way, more rings share the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from undercroft.database.postgresql_errors import FAULTS
from undercroft.database.wakeup import PAUSE, Ear, Hear
from undercroft.errors import Problem

CHANNEL: Final = "undercroft"
_AGAIN: Final = 1.0  # seconds until the next attempt to connect
_PATIENCE: Final = 5.0
_MOST_WAITING: Final = 50  # texts that nobody could be told yet; older ones are forgotten
_log = logging.getLogger("undercroft")


class Connection(Protocol):
    """What is used of a connection of asyncpg, which has no types."""

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None: ...
    def add_termination_listener(self, callback: Callable[..., None]) -> None: ...
    async def execute(self, query: str, *args: object) -> str: ...
    def get_server_pid(self) -> int: ...
    def terminate(self) -> None: ...


class PostgresqlWakeup:
    """One node's end; make it inside a running loop, with what opens a connection."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._ear = Ear()
        self._rung = asyncio.Event()
        self._is_ringing = False
        self._texts: deque[str] = deque(maxlen=_MOST_WAITING)
        self._own_pid = 0
        self.on_said: Hear | None = None
        self._task = asyncio.create_task(self._serve())

    def ring(self) -> None:
        """Wake the other nodes, soon."""
        self._is_ringing = True
        self._rung.set()

    def say(self, text: str) -> None:
        """Tell the other nodes a text, soon."""
        self._texts.append(text)
        self._rung.set()

    async def heard(self, seconds: float) -> bool:
        """Wait for another node to ring, at most so long; whether one did."""
        return await self._ear.heard(seconds)

    async def close(self) -> None:
        """Let go of the connection."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _serve(self) -> None:
        """Be connected again and again, until cancelled; without a connection the others find out by looking."""
        while True:
            try:
                await self._converse(await self._connect())
            except (Problem, TimeoutError, *FAULTS) as error:
                _log.debug("No wake-ups from other nodes: %s", error)
            await asyncio.sleep(_AGAIN)

    async def _converse(self, connection: Connection) -> None:
        """Hear and ring until the connection ends."""
        try:
            self._own_pid = connection.get_server_pid()
            connection.add_termination_listener(lambda *_: self.ring())
            await connection.add_listener(CHANNEL, self._hear)
            self._ear.wake()  # whatever was rung while nobody listened
            while await self._rung.wait():
                self._rung.clear()
                async with asyncio.timeout(_PATIENCE):
                    await self._send(connection)
                await asyncio.sleep(PAUSE)
        finally:
            connection.terminate()

    async def _send(self, connection: Connection) -> None:
        while self._texts:
            await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, self._texts.popleft())
        if self._is_ringing:
            self._is_ringing = False
            await connection.execute(f"NOTIFY {CHANNEL}")

    def _hear(self, connection: Connection, sender: int, channel: str, payload: Any) -> None:
        del connection, channel  # what was on its way is told also when the connection is closed by then
        if sender == self._own_pid:
            return
        if not payload:
            self._ear.wake()
        elif self.on_said is not None:
            self.on_said(str(payload))
