"""What SQLite says went wrong, as the engine's problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import apsw

from undercroft.database.engine import QueryTimeout, SqlError, UniqueViolation
from undercroft.database.faults import BadText, DatabaseClosed, StorageCorrupt, StorageFault, StorageReadOnly
from undercroft.errors import Problem, StorageFull, Unavailable

FAULTS = (apsw.Error, UnicodeEncodeError, OverflowError)
"""What running a statement may raise because of its text, its values or the disk."""

_UNIQUE = frozenset({apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY, apsw.SQLITE_CONSTRAINT_ROWID})
_PLAIN_INDEX = re.compile(r"UNIQUE constraint failed: (?P<columns>\w+\.[^,]+(?:, \w+\.[^,]+)*)")
_EXPRESSION_INDEX = re.compile(r"UNIQUE constraint failed: index '(?P<index>.*)'")


_FAMILIES: dict[type[BaseException], Callable[[], Problem]] = {
    apsw.FullError: StorageFull,
    apsw.ReadOnlyError: StorageReadOnly,
    apsw.PermissionsError: StorageReadOnly,
    apsw.IOError: StorageFault,
    apsw.CantOpenError: StorageFault,
    apsw.ProtocolError: StorageFault,
    apsw.CorruptError: StorageCorrupt,
    apsw.NotADBError: StorageCorrupt,
    apsw.FormatError: StorageCorrupt,
    apsw.ConnectionClosedError: DatabaseClosed,
    apsw.CursorClosedError: DatabaseClosed,
    apsw.BusyError: Unavailable,
    apsw.LockedError: Unavailable,
    apsw.NoMemError: Unavailable,
    apsw.InterruptError: QueryTimeout,
    UnicodeEncodeError: BadText,
    OverflowError: BadText,
}
_REFUSED = (apsw.SQLError, apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError, apsw.RangeError, apsw.AuthError)


def problem_of(error: BaseException, connection: apsw.Connection | None = None) -> BaseException:
    """The problem that an error of the driver is; an error that is none stays itself.

    Which columns an index on expressions covers is asked of the connection.
    """
    if connection and isinstance(error, apsw.ConstraintError) and getattr(error, "extendedresult", 0) in _UNIQUE:
        return _unique_violation(str(error), connection)
    if isinstance(error, _REFUSED):
        return SqlError(str(error))
    family = _FAMILIES.get(type(error))
    return family() if family else error


def _unique_violation(text: str, connection: apsw.Connection) -> Problem:
    if found := _PLAIN_INDEX.fullmatch(text):
        pairs = [pair.split(".", 1) for pair in found["columns"].split(", ")]
        return UniqueViolation(pairs[0][0], [column for _, column in pairs])
    if found := _EXPRESSION_INDEX.fullmatch(text):
        return _index_violation(found["index"], connection)
    return SqlError(text)


def _index_violation(index: str, connection: apsw.Connection) -> Problem:
    row = connection.execute("SELECT tbl_name, sql FROM sqlite_schema WHERE type = 'index' AND name = ?", (index,)).get
    if not isinstance(row, tuple):
        return SqlError(f"Values of the index {index} must be unique.")
    table, sql = str(row[0]), str(row[1])
    known = [str(column[0]) for column in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
    return UniqueViolation(table, _columns_in(sql, known))


def _columns_in(sql: str, known: Sequence[str]) -> list[str]:
    """The known columns that the key of an index on expressions speaks of, in its order."""
    names = {name.lower(): name for name in known}
    words = re.findall(r"\w+", _first_group(sql).lower())
    return list(dict.fromkeys(names[word] for word in words if word in names))


def _first_group(sql: str) -> str:
    depth = 0
    start = sql.find("(")
    for position in range(start, len(sql)):
        depth += (sql[position] == "(") - (sql[position] == ")")
        if depth == 0:
            return sql[start:position]
    return sql[start:]
