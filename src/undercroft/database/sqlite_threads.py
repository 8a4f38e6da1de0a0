"""Threads for the reads that take long, each with a connection of its own.

There are two groups, so that what takes milliseconds does not wait for what takes
seconds: a read comes to the quick group first, and one that takes too many steps there
is stopped and starts again in the patient group.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from time import perf_counter
from typing import Any

import apsw

from undercroft.database.answers import settle
from undercroft.database.engine import QueryTimeout, Row, Value
from undercroft.database.sqlite_options import SqliteOptions
from undercroft.database.sqlite_reader import read_problem
from undercroft.database.sqlite_slow import SlowTexts
from undercroft.priority import step_back

# Asking takes the interpreter's lock, and a thread that stepped back may be put aside with the lock in its hand.
# So it is done seldom: deadlines come by interrupt, and only one that came too early must be asked for.
_STEPS = 100_000
_PATIENT_STEPS = 5_000_000


class _Read:
    """One statement on its way, and the connection it runs on now."""

    def __init__(self, sql: str, values: Sequence[Value], future: asyncio.Future[list[Row]]) -> None:
        self.sql = sql
        self.values = values
        self.future = future
        self.is_abandoned = False
        self._connection: apsw.Connection | None = None
        self._steps = 0
        self._lock = Lock()

    def abandon(self) -> None:
        """Stop it, wherever it is: nobody waits for it any more."""
        with self._lock:
            self.is_abandoned = True
            if self._connection is not None:
                self._connection.interrupt()

    def run(self, connection: apsw.Connection, most_steps: int) -> list[Row]:
        """All rows; raises `InterruptError` when abandoned or after too many steps."""
        self._enter(connection, most_steps)
        cursor = connection.cursor()
        try:
            return cursor.execute(self.sql, self.values).fetchall()
        finally:
            cursor.close(True)
            with self._lock:
                self._connection = None

    def _enter(self, connection: apsw.Connection, most_steps: int) -> None:
        every = _PATIENT_STEPS if most_steps == sys.maxsize else _STEPS

        def is_enough() -> bool:
            self._steps += every
            return self.is_abandoned or self._steps > most_steps

        # An interrupt that comes before the first step is lost; the handler sees what it meant.
        self._steps = 0
        connection.set_progress_handler(is_enough, every)
        with self._lock:
            self._connection = connection


class ReaderThreads:
    """Reads on threads, each until its deadline or until nobody waits for it."""

    def __init__(self, connect: Callable[[], apsw.Connection], options: SqliteOptions) -> None:
        self._deadline = options.read_deadline
        self._slow = SlowTexts(options.slow_memory)
        self._patient = _Group(connect, options.patient_threads)
        self._quick = _Group(connect, options.quick_threads, options.quick_steps, self._pass_on)

    async def read(self, sql: str, values: Sequence[Value]) -> list[Row]:
        """All rows; a caller that goes away, or the deadline, stops the statement."""
        loop = asyncio.get_running_loop()
        read = _Read(sql, values, loop.create_future())
        group = self._patient if self._slow.knows(sql, perf_counter()) else self._quick
        group.submit(read)
        timer = loop.call_later(self._deadline, settle, read.future, None, QueryTimeout())
        try:
            return await read.future
        finally:
            timer.cancel()
            read.abandon()

    async def close(self) -> None:
        """End the threads once they have finished what waits."""
        await self._quick.close()
        await self._patient.close()

    def _pass_on(self, read: _Read) -> None:
        self._slow.remember(read.sql)
        self._patient.submit(read)


class _Group:
    """Threads that take from one queue; each read starts one until all are there."""

    def __init__(
        self,
        connect: Callable[[], apsw.Connection],
        size: int,
        most_steps: int = sys.maxsize,
        pass_on: Callable[[_Read], None] | None = None,
    ) -> None:
        self._connect = connect
        self._size = size
        self._most_steps = most_steps
        self._pass_on = pass_on
        self._loop = asyncio.get_running_loop()
        self._inbox: SimpleQueue[_Read | None] = SimpleQueue()
        self._threads: list[Thread] = []

    def submit(self, read: _Read) -> None:
        """Run it when a thread is free; on the event loop."""
        if len(self._threads) < self._size:
            self._threads.append(Thread(target=self._serve, name="undercroft-reader", daemon=True))
            self._threads[-1].start()
        self._inbox.put(read)

    async def close(self) -> None:
        """End the threads once they have finished what waits."""
        for _ in self._threads:
            self._inbox.put(None)
        for thread in self._threads:
            await self._loop.run_in_executor(None, thread.join)

    def _serve(self) -> None:
        if self._pass_on is None:
            step_back()  # what takes seconds can take a little longer
        connection: apsw.Connection | None = None
        while (read := self._inbox.get()) is not None:
            if read.is_abandoned:
                continue
            try:
                connection = connection or self._connect()
                self._post(settle, read.future, read.run(connection, self._most_steps), None)
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller, who waits for it
                self._fail(read, error)
        if connection is not None:
            connection.close()

    def _fail(self, read: _Read, error: BaseException) -> None:
        if self._pass_on and isinstance(error, apsw.InterruptError) and not read.is_abandoned:
            self._post(self._pass_on, read)
        else:
            self._post(settle, read.future, None, read_problem(error))

    def _post(self, action: Callable[..., None], *values: Any) -> None:
        # The loop may be gone, and with it everyone who waited.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(action, *values)
