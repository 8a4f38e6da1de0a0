"""The SQL functions that make PostgreSQL compare, shape and format values as SQLite does.

They live in the schema `undercroft` and are brought up to this program's text when an
engine opens. Those in indexes and views are only ever replaced by functions of the
same meaning.
"""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files
from typing import Final

import asyncpg

from undercroft.database.engine import SqlError
from undercroft.database.postgresql_errors import FAULTS, problem_of

OLDEST: Final = 13
_LOCK: Final = 0x756E646572  # any number that other programs are unlikely to choose
_FILES: Final = ("values.sql", "moments.sql", "views.sql", "changes.sql")


async def install(connection: asyncpg.Connection) -> None:
    """See that the database has the functions. Raises what the engine raises."""
    text = "\n".join((files("undercroft.database") / "postgresql_sql" / name).read_text("utf-8") for name in _FILES)
    version = sha256(text.encode()).hexdigest()
    if connection.get_server_version().major < OLDEST:
        raise SqlError(f"PostgreSQL {OLDEST} or later is needed")
    try:
        if await _installed(connection) == version:
            return
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            if await _installed(connection) != version:
                await connection.execute(text)
                await connection.execute("DELETE FROM undercroft.installed")
                await connection.execute("INSERT INTO undercroft.installed VALUES ($1)", version)
    except FAULTS as error:
        raise problem_of(error) from error


async def _installed(connection: asyncpg.Connection) -> str:
    if await connection.fetchval("SELECT to_regclass('undercroft.installed') IS NULL"):
        return ""
    found: str | None = await connection.fetchval("SELECT version FROM undercroft.installed")
    return found or ""
