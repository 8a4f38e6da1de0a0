"""The protocol that every database engine speaks.

Above this line nobody knows which engine runs. Statements are SQL text with
positional placeholders as the engine's dialect renders them, and plain values:
`None`, `int`, `float`, `str`, `bytes`. Rows are tuples.

Reads are single statements on a snapshot. A write is one *operation*: a
coroutine function that gets a `Transaction` and awaits nothing else. Engines may
run several operations in one commit, each in a savepoint of its own; what an
operation raises undoes that operation alone. `write` returns when the result is
durable. Work that must await something else in between uses `transaction`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, Self, TypeVar

from undercroft.database.dialect import Dialect
from undercroft.database.waits import Waits
from undercroft.database.wakeup import Wakeup
from undercroft.encryption.failures import KeysUnavailable
from undercroft.errors import BadRequest, Problem, Unavailable

Value = None | int | float | str | bytes
Row = tuple[Value, ...]
T = TypeVar("T")


class UniqueViolation(BadRequest):
    """A unique index or primary key refused a row; `columns` are the columns it covers."""

    code = "unique_violation"

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        super().__init__(f"Values of {table}.{', '.join(columns)} must be unique.")
        self.table = table
        self.columns = tuple(columns)


class SqlError(BadRequest):
    """The database refused a statement: no such column, bad syntax, wrong type.

    `detail` is the driver's own text, which names tables and columns: it is for the log
    and for those who may change collections.
    """

    code = "sql_error"

    def __init__(self, detail: str) -> None:
        super().__init__()
        self.detail = detail


class QueryTimeout(Unavailable):
    """A statement ran longer than its deadline and was stopped."""

    code = "query_timeout"
    default = "The request took too long and was stopped."


class WriteQueueFull(Unavailable):
    """More writes are waiting than the queue holds."""

    code = "write_queue_full"
    default = "Too many writes are waiting. Try again in a moment."


class Choice(str):
    """A statement, and in `walk` another that gives the same rows for the same values.

    The other one goes through the table in the order that was asked for, and so is quick
    when many rows match and few are wanted. Which is better depends on the values;
    an engine whose planner weighs the limit may ignore it.
    """

    __slots__ = ("walk",)
    walk: str

    def __new__(cls, sql: str, walk: str) -> Self:
        made = super().__new__(cls, sql)
        made.walk = walk
        return made


class Texts(Protocol):
    """What seals the secrets in the house's own tables: a key ring. Raises `KeysUnavailable` when it is locked.

    The context says where a text stands, as `table|column|row`; it opens nowhere else.
    """

    def seal_text(self, context: str, text: str) -> str:
        """The text as it is kept."""
        ...

    def open_text(self, context: str, sealed: str) -> str:
        """The text that was sealed there."""
        ...


class NoTexts:
    """What an engine has that nobody gave a key ring."""

    def seal_text(self, context: str, text: str) -> str:
        """Nothing. Raises `KeysUnavailable`."""
        del text
        raise KeysUnavailable(f"There are no keys here to seal {context} with.")

    def open_text(self, context: str, sealed: str) -> str:
        """Nothing. Raises `KeysUnavailable`."""
        del sealed
        raise KeysUnavailable(f"There are no keys here to open {context} with.")


class Transaction(Protocol):
    """An open write transaction. `texts` seals what must not stand in it in clear."""

    @property
    def texts(self) -> Texts: ...

    async def run(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run one statement; its rows. Raises `UniqueViolation`, `SqlError`, `QueryTimeout`."""
        ...

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call `action` on the event loop once this operation is durable; never if it is undone."""
        ...

    def announce(self, kind: str) -> None:
        """Call, once this operation is durable, whoever listens to this kind of change; however often, only once."""
        ...

    def is_heard(self, kind: str) -> bool:
        """Whether anybody listens to this kind of change."""
        ...


Operation = Callable[[Transaction], Awaitable[T]]
Listeners = dict[str, Callable[[], None]]


class Knowledge(Protocol):
    """What this process knows by heart, and others may have changed; `version` grows when it is brought up to date."""

    @property
    def version(self) -> int: ...

    async def refresh(self) -> None: ...


class Engine(Protocol):
    """One open database.

    `is_networked` says that servers on other machines may use it too. `listeners` has
    for a kind of change what is called on the event loop after a commit that announced
    it; `knowledge` has for a kind of problem what may have been too old when an operation
    raised it; `texts` seals secrets. Whoever composes the program puts them there. `waits` knows how long
    writes took lately.
    """

    dialect: Dialect
    is_networked: bool
    listeners: Listeners
    knowledge: Mapping[type[Problem], Knowledge]
    texts: Texts
    waits: Waits

    async def read(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run one reading statement; all its rows. Raises `SqlError`, `QueryTimeout`."""
        ...

    async def write(self, operation: Operation[T], *, alone: bool = False, is_waited_for: bool = True) -> T:
        """Run one operation and return its result once it is durable.

        With `alone` no other write runs beside it, in any process: its entry in the
        change log comes behind all that anybody could read before. An engine that met a
        conflict undoes the operation and runs it again, so it must be able to begin
        anew; so does one whose operation found that what it knew by heart was too old,
        once. Where nobody `is_waited_for`, it does not count how long it took. Raises what the
        operation raises, and `WriteQueueFull`.
        """
        ...

    def transaction(self, seconds: float = 5.0) -> AbstractAsyncContextManager[Transaction]:
        """An interactive transaction: commits when the block ends, undone when it raises.

        Holds the writer for as long as the block runs, so it has a limit: past
        `seconds` its next statement raises `QueryTimeout` and all is undone.
        """
        ...

    async def scrub(self, table: str, *, is_thorough: bool, is_patient: bool = False) -> bool:
        """See that nothing is left of what a table held before, which no statement can read and the disk still has.

        With `is_thorough` that includes what it takes to write everything anew for. All writes wait for that, so
        where it is large it is only done for those who are `is_patient`: whether nothing is left.
        """
        ...

    async def open_wakeup(self) -> Wakeup:
        """The line to the other processes that use the database. Raises `OSError` where there can be none."""
        ...

    async def close(self) -> None:
        """Finish what waits, then close every connection."""
        ...
