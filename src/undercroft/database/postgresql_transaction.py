"""An open transaction on a PostgreSQL connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final, Literal

from undercroft.database.answers import announce
from undercroft.database.engine import Listeners, QueryTimeout, Row, Texts, Value
from undercroft.database.faults import OutcomeUnknown
from undercroft.database.postgresql_errors import CONFLICTS, CONNECTION_FAULTS, FAULTS, STALE, problem_of
from undercroft.database.postgresql_line import Line

Hold = Literal["ROW SHARE", "EXCLUSIVE"]

# LOCK TABLE comes before the snapshot is taken: whoever holds the table alone conflicts with nobody.
_BEGIN: Final = """BEGIN ISOLATION LEVEL SERIALIZABLE;
SET LOCAL idle_in_transaction_session_timeout = {milliseconds};
LOCK TABLE undercroft.writers IN {hold} MODE"""


class ConflictError(Exception):
    """The transaction ran into another one; nothing was written."""


class StaleError(Exception):
    """A statement failed in a way that one prepared before a change of types does; nothing was written."""


class PostgresTransaction:
    """What an operation runs its statements on. Begin it first, and end it with `commit` or `undo`.

    `is_fresh` says that no statement was prepared before, so that none can be stale.
    """

    def __init__(
        self, line: Line, seconds: float, listeners: Listeners, texts: Texts, *, is_fresh: bool = False
    ) -> None:
        self.texts = texts
        self.actions: list[Callable[[], None]] = []
        self._line: Line | None = line
        self._listeners = listeners
        self._is_fresh = is_fresh
        self._seconds = seconds
        self._until = perf_counter() + seconds

    async def begin(self, hold: Hold) -> None:
        """Open the transaction, beside others or alone."""
        milliseconds = int(self._seconds * 1000)
        try:
            await self._open().execute(_BEGIN.format(hold=hold, milliseconds=milliseconds))
        except FAULTS as error:
            raise problem_of(error) from error
        self._until = perf_counter() + self._seconds

    async def run(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run one statement; its rows. Raises `UniqueViolation`, `SqlError`, `QueryTimeout`."""
        left = self._until - perf_counter()
        if left <= 0:
            raise QueryTimeout
        try:
            return [tuple(row) for row in await self._open().fetch(sql, values, left)]
        except CONFLICTS as error:
            raise ConflictError from error
        except TimeoutError as error:
            raise QueryTimeout from error
        except STALE as error:
            raise problem_of(error) if self._is_fresh else StaleError from error
        except FAULTS as error:
            raise problem_of(error) from error

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call `action` on the event loop once the transaction is durable."""
        self.actions.append(action)

    def announce(self, kind: str) -> None:
        """Call, once the transaction is durable, whoever listens to this kind of change."""
        announce(kind, self._listeners, self.actions)

    def is_heard(self, kind: str) -> bool:
        """Whether anybody listens to this kind of change."""
        return kind in self._listeners

    async def commit(self) -> None:
        """Make it durable, or raise. Raises `OutcomeUnknown` when nobody can say whether it is."""
        if perf_counter() > self._until:
            raise QueryTimeout
        line = self._open()
        try:
            await line.execute("COMMIT")
        except CONFLICTS as error:
            raise ConflictError from error
        except (*CONNECTION_FAULTS, TimeoutError) as error:
            raise OutcomeUnknown from error
        except FAULTS as error:
            raise problem_of(error) from error

    async def undo(self) -> None:
        """Leave no transaction open."""
        line, self._line = self._line, None
        if line is None or line.connection.is_closed() or not line.connection.is_in_transaction():
            return
        try:
            await line.execute("ROLLBACK")
        except FAULTS:
            line.connection.terminate()

    def _open(self) -> Line:
        if self._line is None:
            message = "The transaction has ended."
            raise RuntimeError(message)
        return self._line
