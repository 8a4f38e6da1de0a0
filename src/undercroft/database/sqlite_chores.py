"""What the writer thread does between transactions, for the file as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Generic

import apsw

from undercroft.database.answers import settle
from undercroft.database.engine import T
from undercroft.database.sqlite_errors import problem_of
from undercroft.database.sqlite_statements import Statements


class Chore(Generic[T]):
    """Something to do on the writing connection while no transaction is open; `future` has what it gave."""

    def __init__(
        self, work: Callable[[Statements], T], loop: asyncio.AbstractEventLoop, leave: Callable[[], None]
    ) -> None:
        self.future: asyncio.Future[T] = loop.create_future()
        self._work = work
        self._loop = loop
        self._leave = leave

    def serve(self, statements: Statements) -> None:
        """Do it; on the writer thread."""
        result: T | None = None
        error: BaseException | None = None
        try:
            result = self._work(statements)
        except Exception as raised:  # noqa: BLE001 - whatever it is belongs to whoever waits for it
            error = problem_of(raised)
        # The loop may be gone, and with it everyone who waited.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._answer, result, error)

    def _answer(self, result: T | None, error: BaseException | None) -> None:
        self._leave()
        settle(self.future, result, error)


def vacuum(statements: Statements) -> None:
    """Write the file anew, without what is free in it."""
    statements.control("VACUUM")


def empty_log(statements: Statements) -> bool:
    """Move the write-ahead log into the file and cut it, unless somebody reads from it; whether it is cut."""
    connection = statements.connection
    patience = connection.pragma("busy_timeout")
    connection.set_busy_timeout(0)  # whoever writes would wait as well
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        return False
    finally:
        connection.set_busy_timeout(int(patience))
    return True
