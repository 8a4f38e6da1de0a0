"""Reads: at once on the event loop, or on a thread when they take long.

Most reads take microseconds, and a hop to a thread costs ten times that. So a
statement starts on the event loop, with a budget; SQLite asks every thousand of its
steps whether to go on. What exceeds the budget is stopped there and starts again on a
thread. Its text is remembered for a moment, so that the next one goes there
directly; so is a text that took long without asking, as counting a large table does.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import apsw

from undercroft.database.engine import Row, SqlError, Value
from undercroft.database.sqlite_errors import FAULTS, problem_of
from undercroft.database.sqlite_options import SqliteOptions

_STEPS = 1000
_REMEMBERED = 1000


class LoopReader:
    """The event loop's own connection."""

    def __init__(self, connection: apsw.Connection, options: SqliteOptions) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._budget = options.step_budget
        self._memory = options.slow_memory
        self._until = 0.0
        self._slow: dict[str, float] = {}
        connection.set_progress_handler(self._is_over_budget, _STEPS)

    def try_read(self, sql: str, values: Sequence[Value]) -> list[Row] | None:
        """The rows, or None when the statement takes too long for the event loop."""
        started = perf_counter()
        if self._slow.get(sql, 0.0) > started:
            return None
        self._until = started + self._budget
        try:
            rows: list[Row] = self._cursor.execute(sql, values).fetchall()
        except FAULTS as error:
            self._give_up(sql, error)
            return None
        if perf_counter() > self._until:
            self._remember(sql)
        return rows

    def close(self) -> None:
        self._connection.close()

    def _is_over_budget(self) -> bool:
        return perf_counter() > self._until

    def _give_up(self, sql: str, error: BaseException) -> None:
        # A cursor that failed may still hold its snapshot, and with it the write-ahead log.
        self._cursor.close(True)
        if not isinstance(error, apsw.CursorClosedError):
            self._cursor = self._connection.cursor()
        if not isinstance(error, (apsw.InterruptError, apsw.BusyError)):
            raise read_problem(error, self._connection) from error
        self._remember(sql)

    def _remember(self, sql: str) -> None:
        if len(self._slow) >= _REMEMBERED:
            self._slow.clear()
        self._slow[sql] = perf_counter() + self._memory


def read_problem(error: BaseException, connection: apsw.Connection) -> BaseException:
    """Like `problem_of`, on a connection that only reads."""
    if isinstance(error, apsw.ReadOnlyError):
        return SqlError("A statement that reads may not write.")
    return problem_of(error, connection)
