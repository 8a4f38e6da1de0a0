"""What a storage can refuse, whichever engine it is."""

from __future__ import annotations

from undercroft.errors import BadRequest, Unavailable


class BadText(BadRequest):
    """A value that no database can hold: half a character, or a number of more than 64 bits."""

    code = "bad_text"
    default = "A value holds text that is not valid Unicode, or a number that is too large."


class DatabaseClosed(Unavailable):
    """The engine was closed; the server is about to end."""

    code = "database_closed"
    default = "The database is closed."


class DatabaseUnreachable(Unavailable):
    """The database server does not answer, or cut the connection; nothing was changed."""

    code = "database_unreachable"
    default = "The database cannot be reached. Try again in a moment."


class OutcomeUnknown(Unavailable):
    """The connection was lost while a commit was on its way: it may have happened or not."""

    code = "outcome_unknown"
    default = "The database was lost during the commit. Look whether the change was made before you try again."


class PoolExhausted(Unavailable):
    """Every connection was busy for as long as a request may wait."""

    code = "pool_exhausted"
    default = "The database is busy. Try again in a moment."


class WriteConflict(Unavailable):
    """Other writes changed the same data again and again while this one was tried."""

    code = "write_conflict"
    default = "Others are changing the same data. Try again in a moment."


class StorageReadOnly(Unavailable):
    """The database or its disk can only be read."""

    code = "storage_read_only"
    default = "The storage can only be read. Nothing was changed."


class StorageFault(Unavailable):
    """The disk failed to read or write."""

    code = "storage_fault"
    default = "The storage failed. The change was not made durable."


class StorageCorrupt(Unavailable):
    """The file is not a database, or a damaged one."""

    code = "storage_corrupt"
    default = "The database file is damaged. Restore a backup."
