"""The thread that writes.

SQLite takes one writer at a time, and a durable commit waits for the disk. So one
thread takes the writes that are waiting, runs each in a savepoint of its own inside one
transaction, commits once, and then answers all of them: what is answered is on disk,
and many share one wait. While it waits for the disk the next ones gather.

An operation is a coroutine that awaits nothing but its transaction, whose statements
never suspend; so it runs to its end in a single step, here, without an event loop.
What it raises undoes its savepoint and is its caller's answer. When the commit itself
fails nobody's write happened, and everyone is told so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Any

import apsw

from undercroft.database.answers import run_actions, settle
from undercroft.database.engine import Listeners, NoTexts, Operation, T, Texts, WriteQueueFull
from undercroft.database.faults import DatabaseClosed
from undercroft.database.sqlite_chores import Chore
from undercroft.database.sqlite_errors import problem_of
from undercroft.database.sqlite_options import SqliteOptions
from undercroft.database.sqlite_session import Session
from undercroft.database.sqlite_statements import OperationTransaction, Statements, drive


class _Write:
    """One operation on its way, and in the end its answer."""

    __slots__ = ("actions", "error", "future", "operation", "result")

    def __init__(self, operation: Operation[Any], future: asyncio.Future[Any]) -> None:
        self.operation = operation
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None
        self.actions: list[Callable[[], None]] = []


_Job = _Write | Session | Chore[Any] | None  # None ends the thread


class Writer:
    """Runs operations and interactive sessions one after the other, on a thread of its own."""

    def __init__(self, connection: apsw.Connection, options: SqliteOptions, listeners: Listeners) -> None:
        self._options = options
        self.listeners = listeners
        self.texts: Texts = NoTexts()
        self._loop = asyncio.get_running_loop()
        self._statements = Statements(connection, options.write_deadline)
        self._inbox: SimpleQueue[_Job] = SimpleQueue()
        self._waiting = 0
        self._is_closed = False
        self._held: list[_Job] = []
        self._thread = Thread(target=self._serve, name="undercroft-writer", daemon=True)
        self._thread.start()

    def write(self, operation: Operation[T]) -> asyncio.Future[T]:
        """The operation's result, once it is durable."""
        self._admit()
        future: asyncio.Future[T] = self._loop.create_future()
        self._inbox.put(_Write(operation, future))
        return future

    async def open_session(self, seconds: float) -> Session:
        """An interactive transaction that has begun."""
        self._admit()
        session = Session(seconds, self._loop, self._leave, self.listeners, self.texts)
        self._inbox.put(session)
        await session.begin()
        return session

    def attend(self, work: Callable[[Statements], T]) -> asyncio.Future[T]:
        """What something gives that is done between transactions, on the writer thread."""
        self._admit()
        chore = Chore(work, self._loop, self._leave)
        self._inbox.put(chore)
        return chore.future

    async def close(self) -> None:
        """Finish what waits, then end the thread and close the connection."""
        self._is_closed = True
        self._inbox.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _admit(self) -> None:
        if self._is_closed:
            raise DatabaseClosed
        if self._waiting >= self._options.write_queue:
            raise WriteQueueFull
        self._waiting += 1

    def _leave(self) -> None:
        self._waiting -= 1

    def _serve(self) -> None:
        while (job := self._take()) is not None:
            if isinstance(job, _Write):
                self._commit_batch(job)
            else:
                job.serve(self._statements)
        self._statements.close()

    def _take(self) -> _Job:
        return self._held.pop() if self._held else self._inbox.get()

    def _commit_batch(self, first: _Write) -> None:
        batch: list[_Write] = []
        try:
            self._statements.begin()
            self._gather(first, batch)
            self._statements.commit()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was written and all must hear it
            batch = batch or self._gather_unbegun(first)
            self._fail(batch, error)
        # The loop may be gone, and with it everyone who waited.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._answer, batch)

    def _gather(self, first: _Write, batch: list[_Write]) -> None:
        until = perf_counter() + self._options.batch_time
        write: _Write | None = first
        while write is not None:
            batch.append(write)
            self._perform(write)
            is_full = len(batch) >= self._options.batch_count or perf_counter() > until
            write = None if is_full else self._take_write()

    def _gather_unbegun(self, first: _Write) -> list[_Write]:
        # Each would wait in vain for what the first one did not get.
        batch = [first]
        while len(batch) < self._options.batch_count and (write := self._take_write()):
            batch.append(write)
        return batch

    def _take_write(self) -> _Write | None:
        """The next job if it waits already and is a write; another kind of job stays first in line."""
        try:
            job = self._inbox.get_nowait()
        except Empty:
            return None
        if isinstance(job, _Write):
            return job
        self._held.append(job)
        return None

    def _perform(self, write: _Write) -> None:
        if write.future.cancelled():
            return
        transaction = OperationTransaction(self._statements, self.listeners, self.texts)
        self._statements.control("SAVEPOINT operation")
        try:
            write.result = drive(write.operation, transaction)
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller, who waits for it
            write.error = error
        else:
            write.actions = transaction.actions
        self._statements.end_savepoint("operation", keep=write.error is None)

    def _fail(self, batch: list[_Write], error: Exception) -> None:
        self._statements.undo()
        for write in batch:
            write.error = write.error or problem_of(error)
            write.actions = []

    def _answer(self, batch: list[_Write]) -> None:
        self._waiting -= len(batch)
        for write in batch:
            run_actions(write.actions, self._loop)
        for write in batch:
            settle(write.future, write.result, write.error)
