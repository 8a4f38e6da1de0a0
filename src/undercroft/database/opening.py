"""Which engine is opened for which data."""

from __future__ import annotations

from pathlib import Path

from undercroft.database.engine import Engine
from undercroft.database.postgresql_options import PostgresOptions
from undercroft.database.refusals import MissingDriver
from undercroft.database.sqlite import SqliteEngine
from undercroft.database.sqlite_options import SqliteOptions

_DEADLINE = 30.0


async def open_engine(directory: Path, database: str = "", deadline: float = _DEADLINE) -> Engine:
    """The PostgreSQL database of a URL; without one, SQLite in the directory. Raises `MissingDriver`.

    A statement that takes longer than the deadline, in seconds, is stopped.
    """
    if not database:
        return await SqliteEngine.open(directory, SqliteOptions(read_deadline=deadline, write_deadline=deadline))
    # Its driver is an extra, which most servers never need.
    try:
        from undercroft.database.postgresql import PostgresEngine  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise MissingDriver from error
    return await PostgresEngine.open(database, PostgresOptions(read_deadline=deadline, write_deadline=deadline))
