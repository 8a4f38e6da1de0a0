"""Files of records in step with the database: into the store before their record, out of it after.

Before a transaction opens its new files are held in the ledger and put into the store. The
transaction strikes them out of the ledger, and writes in what its records name no more.
Whether it was committed or not, the ledger then says which files must go. They go in the
background; what a process does not get done before it dies is found by the sweep.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from undercroft.database.engine import Engine
from undercroft.errors import Problem
from undercroft.files.ledger import (
    HELD_SECONDS,
    abandon_all,
    abandon_due,
    abandon_files,
    find_doomed,
    has_work,
    hold_files,
    prolong_files,
    strike_files,
)
from undercroft.files.store import FileStore
from undercroft.records.attachments import Placed
from undercroft.records.strays import clear_strays

T = TypeVar("T")
_PAGE: Final = 200
_LAST_SECONDS: Final = 5.0  # that clearing away may hold up the end of a process
_log = logging.getLogger("undercroft")


class Filing:
    """Puts files into a store and clears away what must go."""

    def __init__(self, engine: Engine, store: FileStore) -> None:
        self.store = store
        self._engine = engine
        self._clearing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def holding(self, placed: Sequence[Placed]) -> AsyncIterator[None]:
        """New files are in the store while the block writes the records that name them.

        What no record names when the block ends goes again. Raises `StorageFull` and
        `StoreUnavailable`.
        """
        if not placed:
            yield
            return
        keys = [each.key for each in placed]
        holding = asyncio.create_task(self._prolong(keys))
        try:
            await self._change(hold_files, keys)
            for each in placed:
                await self.store.put(each.key, each.path, each.file.facts)
            yield
        except BaseException:
            # Whether the records were written or not, if that is not known: the ledger knows.
            self._soon(self._abandon(keys))
            raise
        finally:
            holding.cancel()

    def clear_soon(self, keys: Sequence[str]) -> None:
        """Delete doomed files in the background; call it after the commit that doomed them."""
        if keys:
            self._soon(self._clear(keys))

    async def settle(self) -> None:
        """Return once nothing is being cleared away."""
        while self._clearing:
            await asyncio.wait(self._clearing)

    async def has_work(self) -> bool:
        """Whether the ledger names files that must go by now."""
        return await has_work(self._engine.read, self._engine.dialect)

    async def sweep(self) -> None:
        """Delete all files that must go by now; what the store does not delete stays in the ledger."""
        await self._change(abandon_due)
        after = ""
        while keys := await find_doomed(self._engine.read, self._engine.dialect, after, _PAGE):
            await self._clear(keys)
            after = keys[-1]

    async def recover(self) -> None:
        """Give up every file that is held: for the start of a server that has its data to itself."""
        if await self.has_held():
            await self._change(abandon_all)

    async def close(self) -> None:
        """Wait a little for what is being cleared away; the next start does the rest."""
        if self._clearing:
            await asyncio.wait(self._clearing, timeout=_LAST_SECONDS)
        for task in self._clearing:
            task.cancel()

    async def has_held(self) -> bool:
        """Whether any file waits for its record."""
        return bool(await self._engine.read('SELECT 1 FROM "_files_due" WHERE "due" > 0 LIMIT 1'))

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_told(work))
        self._clearing.add(task)
        task.add_done_callback(self._clearing.discard)

    async def _abandon(self, keys: Sequence[str]) -> None:
        await self._clear(await self._change(abandon_files, keys))

    async def _clear(self, keys: Sequence[str]) -> None:
        for prefix in (key for key in keys if key.endswith("/")):
            await clear_strays(self._engine, self.store, prefix)
        await self.store.delete([key for key in keys if not key.endswith("/")])
        await self._change(strike_files, keys)

    async def _prolong(self, keys: Sequence[str]) -> None:
        while True:
            await asyncio.sleep(HELD_SECONDS / 6)
            await self._change(prolong_files, keys)

    async def _change(self, change: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """One entry or more in the ledger, in a transaction of its own."""
        dialect = self._engine.dialect
        return await self._engine.write(lambda tx: change(tx, dialect, *arguments))


async def _told(work: Coroutine[Any, Any, None]) -> None:
    """Do work that nobody waits for; what stops it is told, and done again by the sweep."""
    try:
        await work
    except Problem as problem:
        _log.warning("Files that must go could not be deleted, which will be tried again: %s", problem)
