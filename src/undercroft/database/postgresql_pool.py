"""Connections to a PostgreSQL server: a bounded number, a bounded wait.

The one used last is used next, so that the others may rest. When one turns out to be
dead, those that rest are suspected and closed: after a restart of the server the
next request already gets a new connection. Those that are lent out are watched.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from undercroft.database.faults import DatabaseClosed, DatabaseUnreachable, OutcomeUnknown, PoolExhausted
from undercroft.database.postgresql_errors import CONNECTION_FAULTS, problem_of
from undercroft.database.postgresql_line import Connection, Line
from undercroft.database.postgresql_options import PostgresOptions
from undercroft.database.postgresql_values import set_codecs
from undercroft.database.postgresql_watch import Watch


class Pool:
    """Lends connections, one to a user at a time; make it inside a running loop."""

    def __init__(self, url: str, options: PostgresOptions) -> None:
        self._url = url
        self._options = options
        self._idle: deque[Line] = deque()
        self._lent: set[Line] = set()
        self._watch = Watch(self._lent, self._connect, self._distrust)
        self._watching = asyncio.create_task(self._watch.run())
        self._free = asyncio.Semaphore(options.pool_size)
        self._waiting = 0
        self._is_closed = False

    @asynccontextmanager
    async def connection(self, *, is_fresh: bool = False) -> AsyncIterator[Line]:
        """A connection that nobody else uses; a new one, and no old ones kept, with `is_fresh`.

        Raises `PoolExhausted`, and `DatabaseUnreachable`.
        """
        await self._admit()
        try:
            if self._watch.is_down:
                raise DatabaseUnreachable
            if is_fresh:
                self._distrust()
            line = await self._take()
            try:
                yield line
            except (DatabaseUnreachable, OutcomeUnknown):
                line.connection.terminate()  # it may not know yet that it is lost
                raise
            finally:
                self._give_back(line)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Wait for those who have a connection, then close all."""
        self._is_closed = True
        self._watching.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.write_deadline):
                for _ in range(self._options.pool_size):
                    await self._free.acquire()
        for line in self._idle:
            with suppress(*CONNECTION_FAULTS, TimeoutError):
                await line.connection.close(timeout=1)
        self._idle.clear()

    async def _admit(self) -> None:
        if self._is_closed:
            raise DatabaseClosed
        if not self._free.locked():
            await self._free.acquire()
            return
        if self._waiting >= self._options.pool_queue:
            raise PoolExhausted
        self._waiting += 1
        try:
            async with asyncio.timeout(self._options.pool_wait):
                await self._free.acquire()
        except TimeoutError:
            raise PoolExhausted from None
        finally:
            self._waiting -= 1

    async def _take(self) -> Line:
        while self._idle:
            line = self._idle.pop()
            if not line.connection.is_closed():
                break
        else:
            line = Line(await self.open_one())
        self._lent.add(line)
        return line

    async def open_one(self) -> Connection:
        """A connection that the pool does not know; whoever opens it closes it. Raises `DatabaseUnreachable`."""
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                return await self._connect()
        except TimeoutError as error:
            self._watch.is_down = True  # others need not wait for as long
            raise DatabaseUnreachable from error
        except (*CONNECTION_FAULTS, asyncpg.PostgresError) as error:
            raise problem_of(error) from error

    async def _connect(self) -> Connection:
        connection: Connection = await asyncpg.connect(
            self._url,
            statement_cache_size=self._options.statement_cache,
            max_cached_statement_lifetime=0,
            command_timeout=self._options.silence,
            server_settings=_settings(self._options),
        )
        await set_codecs(connection)
        return connection

    def _distrust(self) -> None:
        while self._idle:
            self._idle.pop().connection.terminate()

    def _give_back(self, line: Line) -> None:
        self._lent.discard(line)
        connection = line.connection
        if connection.is_closed():
            self._distrust()
        elif connection.is_in_transaction():
            connection.terminate()  # whoever had it was interrupted; the server undoes what is open
        else:
            self._idle.append(line)


def _settings(options: PostgresOptions) -> dict[str, str]:
    """Sessions as the dialect needs them; durable whatever the server's default is."""
    return {
        "application_name": "undercroft",
        "TimeZone": "UTC",
        "DateStyle": "ISO",
        "IntervalStyle": "iso_8601",
        "extra_float_digits": "1",
        "search_path": "public, undercroft",
        "synchronous_commit": "on",
        "statement_timeout": str(int(options.read_deadline * 1000)),
        "lock_timeout": str(int(options.lock_wait * 1000)),
        "idle_in_transaction_session_timeout": str(int(options.write_deadline * 2000)),
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
        "jit": "off",
    }
