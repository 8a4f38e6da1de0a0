"""Reads: at once on the event loop, or on a thread when they take long.

Most reads take microseconds, and a hop to a thread costs ten times that. So a
statement starts on the event loop, with a budget; SQLite asks every thousand of its
steps whether to go on. What exceeds the budget is stopped there and starts again on a
thread. Its text is remembered for a moment, so that the next one goes there
directly; so is a text that took long three times on end without asking, as counting a
large table does.

On a busy machine the clock goes on while the thread does not. So time alone proves
nothing: a statement is stopped only after some thousands of steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from time import perf_counter

import apsw

from undercroft.database.engine import Row, SqlError, Value
from undercroft.database.sqlite_errors import FAULTS, problem_of
from undercroft.database.sqlite_options import SqliteOptions
from undercroft.database.sqlite_slow import SlowTexts

_STEPS = 1000
_STEPS_ALLOWED = 8 * _STEPS
_PROOF = 3


class LoopReader:
    """The event loop's own connection."""

    def __init__(self, connection: apsw.Connection, options: SqliteOptions) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._budget = options.step_budget
        self._until = 0.0
        self._steps = 0
        self._slow = SlowTexts(options.slow_memory)
        self._suspects: Counter[str] = Counter()
        connection.set_progress_handler(self._is_over_budget, _STEPS)

    def try_read(self, sql: str, values: Sequence[Value]) -> list[Row] | None:
        """The rows, or None when the statement takes too long for the event loop."""
        started = perf_counter()
        if self._slow.knows(sql, started):
            return None
        self._until = started + self._budget
        self._steps = 0
        try:
            rows: list[Row] = self._cursor.execute(sql, values).fetchall()
        except FAULTS as error:
            self._give_up(sql, error)
            return None
        if perf_counter() > self._until:
            self._suspect(sql)
        elif self._suspects:
            self._suspects.pop(sql, None)
        return rows

    def close(self) -> None:
        self._connection.close()

    def _is_over_budget(self) -> bool:
        self._steps += _STEPS
        return self._steps > _STEPS_ALLOWED and perf_counter() > self._until

    def _suspect(self, sql: str) -> None:
        self._suspects[sql] += 1
        if self._suspects[sql] >= _PROOF:
            del self._suspects[sql]
            self._slow.remember(sql)

    def _give_up(self, sql: str, error: BaseException) -> None:
        # A cursor that failed may still hold its snapshot, and with it the write-ahead log.
        self._cursor.close(True)
        if not isinstance(error, apsw.CursorClosedError):
            self._cursor = self._connection.cursor()
        if not isinstance(error, (apsw.InterruptError, apsw.BusyError)):
            raise read_problem(error) from error
        self._slow.remember(sql)


def read_problem(error: BaseException) -> BaseException:
    """Like `problem_of`, on a connection that only reads."""
    if isinstance(error, apsw.ReadOnlyError):
        return SqlError("A statement that reads may not write.")
    return problem_of(error)
