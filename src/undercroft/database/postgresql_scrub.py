"""Freeing what PostgreSQL keeps of a table's past: old versions of rows, and values of columns that were dropped."""

from __future__ import annotations

from typing import Final

import asyncpg

_SECONDS: Final = 3600.0
_LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a table, with its indexes, that is written anew: all that want it wait meanwhile."""


async def vacuum(connection: asyncpg.Connection, table: str, *, is_thorough: bool, is_patient: bool) -> bool:
    """Free old versions of rows; with `is_thorough` write a small table anew: whether nothing old is left in its files.

    Dropped columns stay in every row that was not written since, and so in a large table, unless one `is_patient`.
    """
    await connection.execute("SET statement_timeout = 0")
    size: int = await connection.fetchval("SELECT pg_total_relation_size($1::text::regclass)", table)
    is_anew = is_thorough and (is_patient or size <= _LARGEST)
    try:
        await connection.execute(f"VACUUM {'(FULL, ANALYZE)' if is_anew else '(ANALYZE)'} {table}", timeout=_SECONDS)
    except asyncpg.LockNotAvailableError:
        return False  # others held the table for as long as one may wait for it
    return is_anew or not is_thorough
