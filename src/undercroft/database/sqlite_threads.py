"""Threads for the reads that take long, each with a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread

import apsw

from undercroft.database.engine import QueryTimeout, Row, Value
from undercroft.database.sqlite_answers import settle
from undercroft.database.sqlite_errors import problem_of
from undercroft.database.sqlite_options import SqliteOptions
from undercroft.database.sqlite_reader import read_problem

# Asking takes the interpreter's lock, so it is done every few milliseconds only.
_STEPS = 100_000


class _Read:
    """One statement on its way. `connection` is where it runs now."""

    __slots__ = ("abandoned", "connection", "future", "sql", "values")

    def __init__(self, sql: str, values: Sequence[Value], future: asyncio.Future[list[Row]]) -> None:
        self.sql = sql
        self.values = values
        self.future = future
        self.connection: apsw.Connection | None = None
        self.abandoned = False


class ReaderThreads:
    """A small pool that grows when a read finds every thread busy."""

    def __init__(self, connect: Callable[[], apsw.Connection], options: SqliteOptions) -> None:
        self._connect = connect
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._inbox: SimpleQueue[_Read | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._reads = 0
        self._lock = Lock()

    async def read(self, sql: str, values: Sequence[Value]) -> list[Row]:
        """All rows; a caller that goes away, or the deadline, stops the statement."""
        read = _Read(sql, values, self._loop.create_future())
        self._reads += 1
        self._grow()
        self._inbox.put(read)
        timer = self._loop.call_later(self._options.read_deadline, self._expire, read)
        try:
            return await read.future
        finally:
            self._reads -= 1
            timer.cancel()
            self._abandon(read)

    async def close(self) -> None:
        """End the threads once they have finished what waits."""
        for _ in self._threads:
            self._inbox.put(None)
        for thread in self._threads:
            await self._loop.run_in_executor(None, thread.join)

    def _grow(self) -> None:
        if len(self._threads) < min(self._reads, self._options.reader_threads):
            name = f"undercroft-reader-{len(self._threads)}"
            thread = Thread(target=self._serve, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _expire(self, read: _Read) -> None:
        if not read.future.done():
            read.future.set_exception(QueryTimeout())

    def _abandon(self, read: _Read) -> None:
        with self._lock:
            read.abandoned = True
            if read.connection is not None:
                read.connection.interrupt()

    def _serve(self) -> None:
        connection: apsw.Connection | None = None
        while (read := self._inbox.get()) is not None:
            try:
                connection = connection or self._connect()
            except apsw.Error as error:
                self._answer(read, [], problem_of(error))
                continue
            self._perform(read, connection)
        if connection is not None:
            connection.close()

    def _perform(self, read: _Read, connection: apsw.Connection) -> None:
        with self._lock:
            if read.abandoned:
                return
            read.connection = connection
        # An interrupt that comes before the first step is lost; the handler sees what it meant.
        connection.set_progress_handler(lambda: read.abandoned, _STEPS)
        rows: list[Row] = []
        failure: BaseException | None = None
        cursor = connection.cursor()
        try:
            rows = cursor.execute(read.sql, read.values).fetchall()
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller, who waits for it
            failure = read_problem(error, connection)
        finally:
            with self._lock:
                read.connection = None
            cursor.close(True)
        self._answer(read, rows, failure)

    def _answer(self, read: _Read, rows: list[Row], error: BaseException | None) -> None:
        # The loop may be gone, and with it everyone who waited.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(settle, read.future, rows, error)
