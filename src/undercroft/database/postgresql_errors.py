"""What PostgreSQL says went wrong, as the engine's problems."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import asyncpg

from undercroft.database.engine import QueryTimeout, SqlError, UniqueViolation
from undercroft.database.faults import (
    BadText,
    DatabaseUnreachable,
    StorageCorrupt,
    StorageFault,
    StorageReadOnly,
    WriteConflict,
)
from undercroft.errors import Problem, StorageFull, Unavailable

CONNECTION_FAULTS: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # when the connection goes between two steps of one statement
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)
"""What a lost or refused connection raises."""

FAULTS: Final = (*CONNECTION_FAULTS, asyncpg.PostgresError, UnicodeEncodeError, OverflowError, TimeoutError)
"""What running a statement may raise because of its text, its values, the network or the server."""

CONFLICTS: Final = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)
"""What trying once more may cure: nothing was wrong with the write itself."""

STALE: Final = (
    asyncpg.DatatypeMismatchError,
    asyncpg.UndefinedFunctionError,
    asyncpg.DataError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)
"""What a prepared statement raises when a column has another type by now, be it by another node."""

# By SQLSTATE, the longest prefix decides (PostgreSQL's appendix A).
_BY_STATE: Final[dict[str, type[Problem]]] = {
    "08": DatabaseUnreachable,
    "57P": DatabaseUnreachable,
    "57014": QueryTimeout,
    "25P03": QueryTimeout,
    "25006": StorageReadOnly,
    "22021": BadText,
    "22P05": BadText,
    "53100": StorageFull,
    "53": Unavailable,
    "54": SqlError,
    "55P03": Unavailable,
    "58": StorageFault,
    "XX001": StorageCorrupt,
    "XX002": StorageCorrupt,
    "40": WriteConflict,
}
_KEY: Final = re.compile(r"Key \((?P<key>.*?)\)=\(", re.DOTALL)
_WORD: Final = re.compile(
    r"""(?P<skipped>(?:COLLATE|::)\s*(?:"[^"]*"|[\w.]+)|'(?:[^']|'')*')
      | "(?P<quoted>(?:[^"]|"")+)"(?![.(])
      | (?P<word>[A-Za-z_]\w*)(?!\w*\s*[.(])""",
    re.VERBOSE,
)


def problem_of(error: BaseException) -> BaseException:
    """The problem that an error of the driver is; an error that is none stays itself."""
    if isinstance(error, asyncpg.UniqueViolationError):
        return UniqueViolation(error.table_name or "", list(dict.fromkeys(_columns(error.detail or ""))))
    if isinstance(error, asyncpg.PostgresError):
        return _by_state(error)
    if isinstance(error, (UnicodeEncodeError, OverflowError)):
        return BadText()
    if isinstance(error, asyncpg.DataError):
        return SqlError(str(error))
    if isinstance(error, (*CONNECTION_FAULTS, TimeoutError)):
        return DatabaseUnreachable()
    return error


def _by_state(error: asyncpg.PostgresError) -> Problem:
    state = getattr(error, "sqlstate", None) or ""
    for length in (5, 3, 2):
        family = _BY_STATE.get(state[:length])
        if family is SqlError:
            break
        if family is not None:
            return family()
    return SqlError(str(error))


def _columns(detail: str) -> Iterator[str]:
    """The columns that the key of an index speaks of, from `Key (lower(name))=(x) already exists.`."""
    found = _KEY.search(detail)
    for word in _WORD.finditer(found["key"] if found else ""):
        if not word["skipped"]:
            yield (word["quoted"] or word["word"]).replace('""', '"')
