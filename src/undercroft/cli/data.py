"""Work on a data directory from the command line, also while a server runs on it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import click

from undercroft.app import close_backend, open_backend
from undercroft.backend import Backend
from undercroft.cli.roots import root_of
from undercroft.collections.collection import Collection
from undercroft.config import Config, load_config
from undercroft.database.sqlite import FILE_NAME
from undercroft.errors import FieldError, Invalid, Problem, did_you_mean


class NoData(Problem):
    """There is no data where it was looked for, or no collection of that name."""

    code = "no_data"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the data are, as far as flags say so; `more` are other options of a configuration."""

    directory: Path | None = None
    database: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def config(self) -> Config:
        """All options, those of the environment and of the file here among them."""
        directory = str(self.directory) if self.directory else None
        return load_config(Path(), {"dir": directory, "database": self.database, **self.more}, os.environ)


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say where the data are; it gets them as `place`."""

    @wraps(command)
    def placed(*, directory: Path | None, database: str | None, **others: Any) -> Any:
        return command(place=Place(directory, database), **others)

    kind = click.Path(path_type=Path, file_okay=False)
    with_url = click.option("--database", metavar="URL", help="The PostgreSQL database, if the records are in one.")
    return click.option("--dir", "directory", type=kind, help="The data directory [default: data].")(with_url(placed))


@asynccontextmanager
async def open_data(place: Place) -> AsyncIterator[Backend]:
    """The backend of existing data. Raises `NoData`."""
    config = place.config()
    folder = Path(config.dir)
    if not config.database and not (folder / FILE_NAME).exists():
        raise NoData(f"There is no data in {folder}: start a server there first, or name another folder with --dir.")
    backend = await open_backend(
        folder, config.database, config.files, root_of(config), breached=config.breached_passwords
    )
    try:
        yield backend
    finally:
        await close_backend(backend)


def find_collection(backend: Backend, name: str) -> Collection:
    """The collection of that name or id. Raises `NoData`."""
    found = backend.catalog.find(name)
    if found is None:
        names = [each.name for each in backend.catalog if not each.system]
        raise NoData(f"There is no collection {name!r}.{did_you_mean(name, names) or ' Known: ' + ', '.join(names)}")
    return found


def explained(problem: Invalid) -> Problem:
    """What is wrong with values, for whoever typed them."""
    found = [(name, error) for name, error in problem.data.items() if isinstance(error, FieldError)]
    return Problem(" ".join(f"{name}: {error.message}" for name, error in found) or problem.message())
