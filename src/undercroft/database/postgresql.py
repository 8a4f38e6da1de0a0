"""The engine on a PostgreSQL server.

A write is one transaction, serializable, as if it ran alone. It runs beside others at
first; when it meets one that it cannot run beside it is undone and run again, this
time alone: everybody else waits. So a conflict costs one more try and never ends in
a quarrel of many. An operation may therefore run more than once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter
from urllib.parse import urlsplit

from undercroft.database.answers import run_actions
from undercroft.database.dialect import Dialect
from undercroft.database.engine import (
    Knowledge,
    Listeners,
    NoTexts,
    Operation,
    QueryTimeout,
    Row,
    T,
    Texts,
    Transaction,
    Value,
)
from undercroft.database.faults import DatabaseUnreachable, WriteConflict
from undercroft.database.knowing import run_knowing
from undercroft.database.postgresql_dialect import PostgresDialect
from undercroft.database.postgresql_errors import FAULTS, STALE, problem_of
from undercroft.database.postgresql_functions import install
from undercroft.database.postgresql_options import PostgresOptions
from undercroft.database.postgresql_pool import Pool
from undercroft.database.postgresql_scrub import vacuum
from undercroft.database.postgresql_transaction import ConflictError, Hold, PostgresTransaction, StaleError
from undercroft.database.refusals import DatabaseRefused
from undercroft.database.waits import Waits
from undercroft.database.wakeup import Wakeup
from undercroft.database.wakeup_postgresql import PostgresqlWakeup
from undercroft.errors import Problem


class PostgresEngine:
    """One open PostgreSQL database; make it with `open`."""

    def __init__(self, pool: Pool, options: PostgresOptions) -> None:
        self.dialect: Dialect = PostgresDialect()
        self.listeners: Listeners = {}
        self.knowledge: Mapping[type[Problem], Knowledge] = {}
        self.texts: Texts = NoTexts()
        self.waits = Waits()
        self.is_networked = True
        self._pool = pool
        self._options = options

    @classmethod
    async def open(cls, url: str, options: PostgresOptions | None = None) -> PostgresEngine:
        """The database that a URL names, with our functions in it. Raises `DatabaseRefused`."""
        chosen = options or PostgresOptions()
        pool = Pool(url, chosen)
        try:
            async with pool.connection() as line:
                await install(line.connection)
        except Problem as problem:
            await pool.close()
            raise DatabaseRefused(
                _place(url), getattr(problem, "detail", "") or str(problem.__cause__ or problem)
            ) from problem
        return cls(pool, chosen)

    async def read(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run one reading statement; all its rows. Raises `SqlError`, `QueryTimeout`."""
        try:
            return await self._fetch(sql, values)
        except (DatabaseUnreachable, StaleError):
            # The server may have restarted, or columns have other types: a new connection knows.
            return await self._fetch(sql, values, is_fresh=True)

    async def write(self, operation: Operation[T], *, alone: bool = False, is_waited_for: bool = True) -> T:
        """Run one operation and return its result once it is durable."""
        began = perf_counter()
        try:
            return await run_knowing(self.knowledge, partial(self._write, operation, alone=alone))
        finally:
            if is_waited_for:
                self.waits.note(perf_counter() - began)

    async def _write(self, operation: Operation[T], *, alone: bool) -> T:
        hold: Hold = "EXCLUSIVE" if alone else "ROW SHARE"
        problem: Problem = WriteConflict()
        is_fresh = False
        for _ in range(1 + self._options.write_retries):
            try:
                return await self._attempt(operation, hold, is_fresh=is_fresh)
            except ConflictError:
                hold, problem = "EXCLUSIVE", WriteConflict()
            except StaleError:
                is_fresh = True
            except DatabaseUnreachable as lost:
                # Nothing was committed. A new connection knows more, once.
                if is_fresh:
                    raise
                is_fresh, problem = True, lost
        raise problem

    @asynccontextmanager
    async def transaction(self, seconds: float = 5.0) -> AsyncIterator[Transaction]:
        """An interactive transaction: commits when the block ends, undone when it raises."""
        async with self._pool.connection() as line:
            # Its block cannot run twice, so nothing is gained by telling what is stale.
            open_one = PostgresTransaction(line, seconds, self.listeners, self.texts, is_fresh=True)
            try:
                await open_one.begin("EXCLUSIVE")
                yield open_one
                await open_one.commit()
            except ConflictError as error:
                raise WriteConflict from error
            finally:
                await open_one.undo()
        run_actions(open_one.actions, asyncio.get_running_loop())

    async def scrub(self, table: str, *, is_thorough: bool, is_patient: bool = False) -> bool:
        """Vacuum a table; write it anew if it must be thorough and the table is not too large."""
        connection = await self._pool.open_one()
        try:
            name = self.dialect.quote(table)
            return await vacuum(connection, name, is_thorough=is_thorough, is_patient=is_patient)
        except FAULTS as error:
            raise problem_of(error) from error
        finally:
            await connection.close()

    async def open_wakeup(self) -> Wakeup:
        """The line to the other nodes."""
        return PostgresqlWakeup(self._pool.open_one)

    async def close(self) -> None:
        """Finish what waits, then close every connection."""
        await self._pool.close()

    async def _fetch(self, sql: str, values: Sequence[Value], *, is_fresh: bool = False) -> list[Row]:
        async with self._pool.connection(is_fresh=is_fresh) as line:
            try:
                return [tuple(row) for row in await line.fetch(sql, values)]
            except TimeoutError as error:
                raise QueryTimeout from error
            except STALE as error:
                raise problem_of(error) if is_fresh else StaleError from error
            except FAULTS as error:
                raise problem_of(error) from error

    async def _attempt(self, operation: Operation[T], hold: Hold, *, is_fresh: bool) -> T:
        async with self._pool.connection(is_fresh=is_fresh) as line:
            seconds = self._options.write_deadline
            transaction = PostgresTransaction(line, seconds, self.listeners, self.texts, is_fresh=is_fresh)
            try:
                await transaction.begin(hold)
                result = await operation(transaction)
                await transaction.commit()
            finally:
                await transaction.undo()
        run_actions(transaction.actions, asyncio.get_running_loop())
        return result


def _place(url: str) -> str:
    """What a URL names, without the password that may be in it."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}"
