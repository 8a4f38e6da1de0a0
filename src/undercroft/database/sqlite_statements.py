"""Statements on the writing connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import inf
from time import perf_counter

import apsw

from undercroft.database.answers import announce
from undercroft.database.engine import Listeners, Row, Texts, Value
from undercroft.database.faults import StorageFault
from undercroft.database.sqlite_errors import FAULTS, problem_of
from undercroft.errors import Unavailable

_STEPS = 20_000
_UNDONE = "A write beside this one was stopped, and both were undone. Try again."
_RESTART = "The storage failed, and nothing more is written until the server starts again."


class SuspendedOperationError(RuntimeError):
    """An operation awaited something that is not its transaction."""

    def __init__(self, operation: object) -> None:
        super().__init__(
            f"{operation!r} awaited something other than its transaction while it held the writer. "
            "Await it before, or use engine.transaction()."
        )


class Statements:
    """The writing connection, used by one thread: statements with a deadline, and control of transactions.

    After a commit that the disk refused nothing is known about the disk, so all
    that follows is refused until the server starts again.
    """

    def __init__(self, connection: apsw.Connection, deadline: float) -> None:
        self.connection = connection
        self._deadline = deadline
        self._until = inf
        self._has_failed = False
        self._execute = connection.cursor().execute
        connection.set_progress_handler(self._is_too_late, _STEPS)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open; some errors make SQLite end it by itself."""
        return self.connection.in_transaction

    def run(self, sql: str, values: Sequence[Value], until: float = inf) -> list[Row]:
        """All rows of one statement, which must end before the deadline."""
        self._until = min(until, perf_counter() + self._deadline)
        try:
            rows: list[Row] = self._execute(sql, values).fetchall()
        except FAULTS as error:
            self._renew()
            raise problem_of(error, self.connection) from error
        return rows

    def begin(self) -> None:
        """Open a transaction that may write; waits for writers of other processes."""
        if self._has_failed:
            raise StorageFault(_RESTART)
        self.control("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make it durable, or raise."""
        try:
            self.control("COMMIT")
        except apsw.IOError:
            self._has_failed = True
            self.undo()
            self._empty_log()
            raise

    def control(self, sql: str) -> None:
        """BEGIN, COMMIT and their like: no deadline, raises what the driver raises."""
        self._until = inf
        try:
            self._execute(sql)
        except FAULTS:
            self._renew()
            raise

    def end_savepoint(self, name: str, *, keep: bool) -> None:
        """Keep or undo what was done since; raises when SQLite has undone the whole transaction by itself."""
        if not self.in_transaction:
            raise Unavailable(_UNDONE)
        if not keep:
            self.control(f"ROLLBACK TO {name}")
        self.control(f"RELEASE {name}")

    def close(self) -> None:
        """Empty the write-ahead log, unless another process uses it, and close."""
        self.connection.set_busy_timeout(0)
        with suppress(apsw.Error):
            self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        # What a failing disk refuses at the end was durable in the log already.
        with suppress(apsw.Error):
            self.connection.close()

    def undo(self) -> None:
        """Leave no transaction open; a connection that cannot even undo writes no more."""
        if self.in_transaction:
            with suppress(apsw.Error):
                self.control("ROLLBACK")
        self._has_failed = self._has_failed or self.in_transaction

    def _empty_log(self) -> None:
        # What the disk refused to make durable may lie in the log all the same, and
        # would be found there after a crash. Without the log it cannot be.
        with suppress(apsw.Error):
            self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def _is_too_late(self) -> bool:
        return perf_counter() > self._until

    def _renew(self) -> None:
        self._execute = self.connection.cursor().execute


class OperationTransaction:
    """What one operation runs its statements on."""

    __slots__ = ("_listeners", "_statements", "actions", "texts")

    def __init__(self, statements: Statements, listeners: Listeners, texts: Texts) -> None:
        self.texts = texts
        self._statements: Statements | None = statements
        self._listeners = listeners
        self.actions: list[Callable[[], None]] = []

    async def run(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run one statement; its rows."""
        if self._statements is None:
            message = "The transaction has ended."
            raise RuntimeError(message)
        return self._statements.run(sql, values)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call `action` on the event loop once the operation is durable."""
        self.actions.append(action)

    def announce(self, kind: str) -> None:
        """Call, once the operation is durable, whoever listens to this kind of change."""
        announce(kind, self._listeners, self.actions)

    def is_heard(self, kind: str) -> bool:
        """Whether anybody listens to this kind of change."""
        return kind in self._listeners

    def end(self) -> None:
        """Nothing runs on it any more."""
        self._statements = None


def drive(operation: Callable[[OperationTransaction], Awaitable[object]], transaction: OperationTransaction) -> object:
    """Run an operation to its end without an event loop; its result."""
    steps = operation(transaction).__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    finally:
        transaction.end()
    _close(steps)
    raise SuspendedOperationError(operation)


def _close(steps: object) -> None:
    close = getattr(steps, "close", None)
    if close is not None:
        close()
