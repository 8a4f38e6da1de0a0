"""Files of records in step with the database: into the store before their record, out of it after.

Before a transaction opens its new files are held in the ledger and put into the store. The
transaction strikes them out of the ledger, and writes in what its records name no more. The
key of a file that is encrypted is written down as the file is held, and goes with it. Whether
it was committed or not, the ledger then says which files must go. They go in the background;
what a process does not get done before it dies is found by the sweep.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any, Final, TypeVar

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.encryption.file_keys import SealedStream
from undercroft.errors import Problem
from undercroft.files.ledger import (
    HELD_SECONDS,
    UploadTooLate,
    abandon_all,
    abandon_files,
    find_doomed,
    hold_files,
    prolong_files,
    strike_files,
)
from undercroft.files.sealed import SealedFiles
from undercroft.files.sealed_rows import SealedRow, add_row
from undercroft.files.staged import read_waiting
from undercroft.files.staging import Staging
from undercroft.http.upload import Upload
from undercroft.records.attachments import Placed
from undercroft.records.strays import clear_strays

T = TypeVar("T")
_PAGE: Final = 200
_LAST_SECONDS: Final = 5.0  # that clearing away may hold up the end of a process
_log = logging.getLogger("undercroft")


class Filing:
    """Puts files into a store and clears away what must go."""

    def __init__(self, engine: Engine, store: SealedFiles, staging: Staging) -> None:
        self.store = store
        self._engine = engine
        self._staging = staging
        self._sweeping: asyncio.Task[None] | None = None
        self._is_asked = False

    @asynccontextmanager
    async def holding(self, placed: Sequence[Placed]) -> AsyncIterator[None]:
        """New files are in the store while the block writes the records that name them.

        What no record names when the block has failed goes again. Raises `StorageFull`,
        `StoreUnavailable`, `UploadTooLate` and `KeysUnavailable`.
        """
        if not placed:
            yield
            return
        keys = [each.key for each in placed]
        holding = asyncio.create_task(self._prolong(keys))
        try:
            async with self._fitted(placed) as fitted:
                rows = {
                    each.key: await self._row(each, stream) for each in fitted if (stream := each.file.upload.sealed)
                }
                await self._change(_hold, keys, list(rows.values()))
                await self._put(fitted, rows)
            yield
        except BaseException:
            # Also when nobody knows whether the records were written: the ledger does.
            await _told(self._change(abandon_files, keys))
            raise
        finally:
            holding.cancel()

    def sweep_soon(self) -> None:
        """Delete what must go in the background; to be called after each commit that dooms files."""
        self._is_asked = True
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(_told(self._sweep_while_asked()))

    async def settle(self) -> None:
        """Return once nothing is being cleared away."""
        while self._sweeping is not None and not self._sweeping.done():
            await asyncio.wait({self._sweeping})

    async def clear(self) -> None:
        """Delete what must go; what the store does not delete stays in the ledger. Raises `StoreUnavailable`."""
        after = ""
        while doomed := await find_doomed(self._engine.read, self._engine.dialect, after, _PAGE):
            keys = [each.key for each in doomed]
            for prefix in (key for key in keys if key.endswith("/")):
                await clear_strays(self._engine, self.store, prefix)
            await self.store.delete([key for key in keys if not key.endswith("/")])
            await self._change(strike_files, doomed)
            after = keys[-1]

    async def recover(self) -> None:
        """Give up every file that is held: for the start of a server that has its data to itself."""
        if await self._engine.read('SELECT 1 FROM "_files_due" WHERE "due" > 0 LIMIT 1'):
            await self._change(abandon_all)

    async def close(self) -> None:
        """Wait a little for what is being cleared away; the next start does the rest."""
        if self._sweeping is not None and not self._sweeping.done():
            await asyncio.wait({self._sweeping}, timeout=_LAST_SECONDS)
            self._sweeping.cancel()

    async def _sweep_while_asked(self) -> None:
        while self._is_asked:
            self._is_asked = False
            await self.clear()

    @asynccontextmanager
    async def _fitted(self, placed: Sequence[Placed]) -> AsyncIterator[Sequence[Placed]]:
        """The files as they are to be stored: a definition may have changed since they began to arrive."""
        made: list[Upload] = []
        try:
            yield [await self._fit(each, made) for each in placed]
        finally:
            await self._staging.discard(made)

    async def _fit(self, each: Placed, made: list[Upload]) -> Placed:
        came = each.file.upload
        if each.is_encrypted == (came.sealed is not None):
            return each
        arriving = self._staging.arriving(came.filename, came.content_type, is_encrypted=each.is_encrypted)
        with _told_late():
            upload = await arriving.pour(read_waiting(came))
        made.append(upload)
        return replace(each, file=replace(each.file, upload=upload), path=upload.path or each.path)

    async def _row(self, each: Placed, stream: SealedStream) -> SealedRow:
        return await self.store.make_row(each.key, stream, each.file.facts)

    async def _put(self, placed: Sequence[Placed], rows: Mapping[str, SealedRow]) -> None:
        for each in placed:
            with _told_late():
                row = rows.get(each.key)
                if row is not None:
                    await self.store.put_stream(row, each.path, each.file.facts.md5)
                else:
                    await self.store.put(each.key, each.path, each.file.facts)

    async def _prolong(self, keys: Sequence[str]) -> None:
        while True:
            await asyncio.sleep(HELD_SECONDS / 6)
            await self._change(prolong_files, keys)

    async def _change(self, change: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """A change of the ledger, in a transaction of its own."""
        dialect = self._engine.dialect
        return await self._engine.write(lambda tx: change(tx, dialect, *arguments))


async def _hold(tx: Transaction, dialect: Dialect, keys: Sequence[str], rows: Sequence[SealedRow]) -> None:
    await hold_files(tx, dialect, keys)
    for row in rows:
        await add_row(tx, dialect, row)


@contextmanager
def _told_late() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise UploadTooLate from error  # it waited no longer, because its sender does not


async def _told(work: Coroutine[Any, Any, object]) -> None:
    """Do work whose end nobody waits for; what stops it is told, and done again by the sweep."""
    try:
        await work
    except Problem as problem:
        _log.warning("Files that must go could not be deleted, which will be tried again: %s", problem)
