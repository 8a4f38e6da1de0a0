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

from undercroft.database.engine import Choice, Row, SqlError, Value
from undercroft.database.sqlite_errors import FAULTS, problem_of
from undercroft.database.sqlite_options import SqliteOptions
from undercroft.database.sqlite_slow import SlowTexts

_STEPS = 1000
_STEPS_ALLOWED = 8 * _STEPS
_PROOF = 3
_GLANCE = 2 * _STEPS  # for the planner's choice, where there is another statement
_WALK = 16 * _STEPS  # for the other
_TRUSTED = 8
_REMEMBERED = 1000


class LoopReader:
    """The event loop's own connection."""

    def __init__(self, connection: apsw.Connection, options: SqliteOptions) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._budget = options.step_budget
        self._until = 0.0
        self._steps_left = 0
        self._sorting: dict[str, bool] = {}
        self._wins: dict[str, int] = {}
        self._slow = SlowTexts(options.slow_memory)
        self._suspects: Counter[str] = Counter()
        connection.set_progress_handler(self._is_over_budget, _STEPS)

    def try_read(self, sql: str, values: Sequence[Value]) -> list[Row] | None:
        """The rows, or None when the statement takes too long for the event loop."""
        started = perf_counter()
        if self._slow.knows(sql, started):
            return None
        if isinstance(sql, Choice) and (chosen := self._choose(sql, values)) is not None:
            return chosen
        self._allow(_STEPS_ALLOWED, started + self._budget)
        try:
            rows: list[Row] = self._cursor.execute(sql, values).fetchall()
        except FAULTS as error:
            self._recover(error)
            self._slow.remember(sql)
            return None
        if perf_counter() > self._until:
            self._suspect(sql)
        elif self._suspects:
            self._suspects.pop(sql, None)
        return rows

    def _choose(self, choice: Choice, values: Sequence[Value]) -> list[Row] | None:
        """The rows, when one of two equivalent statements has them soon.

        The planner's own choice comes first, unless the other one was right many times on end.
        """
        if self._sorting.get(choice) is False:
            return None
        wins = self._wins.get(choice, 0)
        if wins < _TRUSTED and (rows := self._glance(choice, values, _GLANCE)) is not None:
            self._wins.pop(choice, None)
            return rows
        if not self._sorts(choice, values) or self._slow.knows(choice.walk, perf_counter()):
            return None
        rows = self._glance(choice.walk, values, _WALK)
        if rows is None:
            self._slow.remember(choice.walk)
        self._wins[choice] = 0 if rows is None else wins + 1
        return rows

    def _glance(self, sql: str, values: Sequence[Value], steps: int) -> list[Row] | None:
        """The rows, or None when the statement takes more steps than that."""
        self._allow(steps, 0.0)
        try:
            rows: list[Row] = self._cursor.execute(sql, values).fetchall()
        except FAULTS as error:
            self._recover(error)
            return None
        return rows

    def _sorts(self, sql: str, values: Sequence[Value]) -> bool:
        """Whether the planner means to collect all rows and sort them; asked once a statement."""
        known = self._sorting.get(sql)
        if known is None:
            self._allow(_STEPS_ALLOWED, perf_counter() + self._budget)
            steps = self._cursor.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
            if len(self._sorting) >= _REMEMBERED:
                self._sorting.clear()
                self._wins.clear()
            known = self._sorting[sql] = any("FOR ORDER BY" in str(step[3]) for step in steps)
        return known

    def close(self) -> None:
        self._connection.close()

    def _allow(self, steps: int, until: float) -> None:
        """Let the next statement run for so many steps, and then until a moment."""
        self._steps_left = steps
        self._until = until

    def _is_over_budget(self) -> bool:
        self._steps_left -= _STEPS
        return self._steps_left < 0 and perf_counter() > self._until

    def _suspect(self, sql: str) -> None:
        if len(self._suspects) >= _REMEMBERED:
            self._suspects.clear()
        self._suspects[sql] += 1
        if self._suspects[sql] >= _PROOF:
            del self._suspects[sql]
            self._slow.remember(sql)

    def _recover(self, error: BaseException) -> None:
        """Make ready for the next statement. Raises what was wrong, unless the statement was only stopped."""
        # A cursor that failed may still hold its snapshot, and with it the write-ahead log.
        self._cursor.close(True)
        if not isinstance(error, apsw.CursorClosedError):
            self._cursor = self._connection.cursor()
        if not isinstance(error, (apsw.InterruptError, apsw.BusyError)):
            raise read_problem(error) from error


def read_problem(error: BaseException) -> BaseException:
    """Like `problem_of`, on a connection that only reads."""
    if isinstance(error, apsw.ReadOnlyError):
        return SqlError("A statement that reads may not write.")
    return problem_of(error)
