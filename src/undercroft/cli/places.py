"""The databases that `undercroft move` reads from and writes to, by URL."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from undercroft.cli.data import NoData
from undercroft.config import BadConfig
from undercroft.database.engine import Engine
from undercroft.database.lock import lock_directory
from undercroft.database.sqlite import FILE_NAME, SqliteEngine
from undercroft.database.sqlite_options import SqliteOptions

_SQLITE: Final = "sqlite:///"
_PATIENT: Final = 24 * 3600.0  # a large index takes as long as it takes


@dataclass(frozen=True, slots=True)
class Place:
    """A database by name: a data directory."""

    name: str
    directory: Path

    @property
    def identity(self) -> str:
        """The same text for two ways to name one database."""
        return str(self.directory.resolve())

    @property
    def file(self) -> Path:
        """The database file of a directory."""
        return self.directory / FILE_NAME


def parse_place(text: str) -> Place:
    """The database of a URL, or of a plain path to a data directory. Raises `BadConfig`."""
    path = text.removeprefix(_SQLITE)
    if not path or "://" in path:
        raise BadConfig(f"{text!r} names no database: write postgresql://USER@HOST/NAME, sqlite:///DIR or a directory.")
    return Place(path, Path(path))


@asynccontextmanager
async def open_source(place: Place) -> AsyncIterator[Engine]:
    """An existing database, held so that no server starts on it. Raises `NoData` and `StartRefused`."""
    if not place.file.exists():
        raise NoData(f"There is no data in {place.name}.")
    async with _open(place) as engine:
        yield engine


@asynccontextmanager
async def open_target(place: Place, *, is_trial: bool) -> AsyncIterator[Engine]:
    """A database to fill, made if need be, but not for a trial. Raises `StartRefused`."""
    if is_trial and not place.file.exists():
        with TemporaryDirectory() as folder:
            async with _open(Place(place.name, Path(folder))) as engine:
                yield engine
        return
    was_there = place.file.exists()
    async with _open(place) as engine:
        yield engine
        is_empty = not was_there and not await engine.read(engine.dialect.list_tables())
    if is_empty:
        place.file.unlink()


@asynccontextmanager
async def _open(place: Place) -> AsyncIterator[Engine]:
    with lock_directory(place.directory, os.environ):
        engine = await SqliteEngine.open(place.file, SqliteOptions(read_deadline=_PATIENT, write_deadline=_PATIENT))
        try:
            yield engine
        finally:
            await engine.close()
