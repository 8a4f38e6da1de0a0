"""The databases that `undercroft move` reads from and writes to, by URL."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from undercroft.cli.data import NoData
from undercroft.config import BadConfig, is_postgresql
from undercroft.database.engine import Engine
from undercroft.database.lock import lock_directory
from undercroft.database.opening import open_engine
from undercroft.database.refusals import DatabaseInUse
from undercroft.database.sqlite import FILE_NAME

_SQLITE: Final = "sqlite:///"
_PATIENT: Final = 24 * 3600.0  # a large index takes as long as it takes
_FAREWELL: Final = 5.0  # seconds in which a server notices that a killed program is gone


@dataclass(frozen=True, slots=True)
class Place:
    """A database: in a data directory, or where a URL says."""

    url: str = ""
    directory: Path = Path()

    @property
    def name(self) -> str:
        """What people call it, without a password."""
        if not self.url:
            return str(self.directory)
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=_without_password(parts.netloc), query=""))

    @property
    def identity(self) -> str:
        """The same text for two ways to name one data directory."""
        return self.url or str(self.directory.resolve())

    @property
    def file(self) -> Path:
        """The database file of a directory."""
        return self.directory / FILE_NAME


def parse_place(text: str) -> Place:
    """The database of a URL, or of a plain path to a data directory. Raises `BadConfig`."""
    if is_postgresql(text):
        return Place(url=text)
    path = text.removeprefix(_SQLITE)
    if not path or "://" in path:
        raise BadConfig(f"{text!r} names no database: write postgresql://USER@HOST/NAME, sqlite:///DIR or a directory.")
    return Place(directory=Path(path))


@asynccontextmanager
async def open_source(place: Place) -> AsyncIterator[Engine]:
    """An existing database that no server uses. Raises `NoData` and `StartRefused`."""
    if not place.url and not place.file.exists():
        raise NoData(f"There is no data in {place.name}.")
    async with _open(place) as engine:
        if "_collections" not in await _tables(engine):
            raise NoData(f"There are no collections in {place.name}.")
        yield engine


@asynccontextmanager
async def open_target(place: Place, *, is_trial: bool) -> AsyncIterator[Engine]:
    """A database to fill, made if need be, but not for a trial. Raises `StartRefused`."""
    was_there = bool(place.url) or place.file.exists()
    if is_trial and not was_there:
        with TemporaryDirectory() as folder:
            async with _open(Place(directory=Path(folder))) as engine:
                yield engine
        return
    async with _open(place) as engine:
        yield engine
        is_empty = not await _tables(engine)
    if is_empty and not was_there:
        place.file.unlink()


@asynccontextmanager
async def _open(place: Place) -> AsyncIterator[Engine]:
    with nullcontext() if place.url else lock_directory(place.directory, os.environ):
        engine = await open_engine(place.directory, place.url, _PATIENT)
        try:
            await _refuse_used(engine, place)
            yield engine
        finally:
            await engine.close()


async def _refuse_used(engine: Engine, place: Place) -> None:
    """Return once nobody else uses a database; one that was killed a moment ago does not count."""
    deadline = asyncio.get_running_loop().time() + _FAREWELL
    while (await engine.read(engine.dialect.count_others()))[0][0]:
        if asyncio.get_running_loop().time() > deadline:
            raise DatabaseInUse(place.name)
        await asyncio.sleep(0.1)


async def _tables(engine: Engine) -> set[str]:
    return {str(name) for (name,) in await engine.read(engine.dialect.list_tables())}


def _without_password(address: str) -> str:
    account, at, host = address.rpartition("@")
    return account.partition(":")[0] + at + host
