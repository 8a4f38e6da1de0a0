"""A connection to PostgreSQL that knows since when it has been waiting for an answer."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any, TypeAlias

from undercroft.database.engine import Value

Connection: TypeAlias = Any  # asyncpg's own; it has no types


class Line:
    """One connection of a pool. `since` is when the statement that runs was sent; 0 when none does."""

    __slots__ = ("connection", "since")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.since = 0.0

    async def fetch(self, sql: str, values: Sequence[Value], timeout: float | None = None) -> list[Any]:  # noqa: ASYNC109 - it is the driver's
        """The rows of a statement."""
        self.since = perf_counter()
        try:
            rows: list[Any] = await self.connection.fetch(sql, *values, timeout=timeout)
        finally:
            self.since = 0.0
        return rows

    async def execute(self, sql: str) -> None:
        """Run statements that have neither values nor rows."""
        self.since = perf_counter()
        try:
            await self.connection.execute(sql)
        finally:
            self.since = 0.0

    @property
    def server_pid(self) -> int:
        """The process that serves it; 0 once it is closed."""
        pid: int = 0 if self.connection.is_closed() else self.connection.get_server_pid()
        return pid
