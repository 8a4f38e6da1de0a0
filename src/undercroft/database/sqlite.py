"""The engine on a SQLite file.

Three kinds of connection: one for the event loop and some for reader threads,
which only read, and one for the writer thread. The standard library's SQLite must
never open the same file: two copies of SQLite in a process drop each other's locks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

import apsw

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Knowledge, Operation, Row, T, Texts, Transaction, Value
from undercroft.database.knowing import run_knowing
from undercroft.database.params import OVERWRITES, load_param, save_param
from undercroft.database.sqlite_chores import empty_log, vacuum
from undercroft.database.sqlite_connection import open_loop_reader, open_thread_reader, open_writer
from undercroft.database.sqlite_dialect import SqliteDialect
from undercroft.database.sqlite_errors import problem_of
from undercroft.database.sqlite_options import SqliteOptions
from undercroft.database.sqlite_reader import LoopReader
from undercroft.database.sqlite_threads import ReaderThreads
from undercroft.database.waits import Waits
from undercroft.database.wakeup import Wakeup
from undercroft.database.wakeup_local import LocalWakeup
from undercroft.database.writer import Writer
from undercroft.errors import Problem

FILE_NAME = "data.db"
_TRIES: Final = 100
_TRY_SECONDS: Final = 0.05


class SqliteEngine:
    """One open SQLite database; make it with `open`."""

    def __init__(
        self, file: Path, writer: Writer, reader: LoopReader, threads: ReaderThreads, vacuum_bytes: int
    ) -> None:
        self.dialect: Dialect = SqliteDialect()
        self.is_networked = False
        self.listeners = writer.listeners
        self.knowledge: Mapping[type[Problem], Knowledge] = {}
        self.waits = Waits()
        self._file = file
        self._writer = writer
        self._reader = reader
        self._threads = threads
        self._vacuum_bytes = vacuum_bytes

    @classmethod
    async def open(cls, path: Path | str, options: SqliteOptions | None = None) -> SqliteEngine:
        """The database in a file, made if need be; of a directory, its `data.db`."""
        file = _database_file(Path(path))
        chosen = options or SqliteOptions()
        try:
            writing = open_writer(file, chosen)
            reading = open_loop_reader(file, chosen)
        except apsw.Error as error:
            raise problem_of(error) from error
        threads = ReaderThreads(partial(open_thread_reader, file, chosen), chosen)
        return cls(file, Writer(writing, chosen, {}), LoopReader(reading, chosen), threads, chosen.vacuum_bytes)

    @property
    def texts(self) -> Texts:
        """What seals secrets."""
        return self._writer.texts

    @texts.setter
    def texts(self, texts: Texts) -> None:
        self._writer.texts = texts

    async def read(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run one reading statement; all its rows. Raises `SqlError`, `QueryTimeout`."""
        rows = self._reader.try_read(sql, values)
        return await self._threads.read(sql, values) if rows is None else rows

    async def write(self, operation: Operation[T], *, alone: bool = False, is_waited_for: bool = True) -> T:
        """Run one operation and return its result once it is durable; all run alone."""
        del alone
        began = perf_counter()
        try:
            return await run_knowing(self.knowledge, partial(self._writer.write, operation))
        finally:
            if is_waited_for:
                self.waits.note(perf_counter() - began)

    @asynccontextmanager
    async def transaction(self, seconds: float = 5.0) -> AsyncIterator[Transaction]:
        """An interactive transaction: commits when the block ends, undone when it raises."""
        session = await self._writer.open_session(seconds)
        try:
            yield session
        except BaseException:
            session.undo()
            raise
        await session.commit()

    async def scrub(self, table: str, *, is_thorough: bool, is_patient: bool = False) -> bool:
        """Empty the log, and write the file anew if things were deleted in it before they were overwritten."""
        del table
        is_clean = not is_thorough or await load_param(self.read, self.dialect, OVERWRITES) is not None
        if not is_clean and (is_patient or self._file.stat().st_size <= self._vacuum_bytes):
            await self._writer.attend(vacuum)
            await self.write(lambda tx: save_param(tx, self.dialect, OVERWRITES, "yes"))
            is_clean = True
        return await self._empty_log() and is_clean

    async def _empty_log(self) -> bool:
        """Empty the write-ahead log, between the reads that still need it."""
        for _ in range(_TRIES):
            if await self._writer.attend(empty_log):
                return True
            await asyncio.sleep(_TRY_SECONDS)
        return False

    async def open_wakeup(self) -> Wakeup:
        """The line to the other processes of the directory. Raises `OSError` where there can be no sockets."""
        return await LocalWakeup.open(self._file.parent)

    async def close(self) -> None:
        """Finish what waits, then close every connection."""
        await self._threads.close()
        self._reader.close()
        await self._writer.close()


def _database_file(path: Path) -> Path:
    return path / FILE_NAME if path.is_dir() else path
