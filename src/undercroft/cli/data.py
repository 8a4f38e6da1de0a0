"""Work on a data directory from the command line, also while a server runs on it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from undercroft.app import close_backend, open_backend
from undercroft.backend import Backend
from undercroft.collections.collection import Collection
from undercroft.config import load_config
from undercroft.database.sqlite import FILE_NAME
from undercroft.errors import Problem, did_you_mean
from undercroft.query.scope import system_scope
from undercroft.records.access import Access


class NoData(Problem):
    """There is no data where it was looked for, or no collection of that name."""

    code = "no_data"


@asynccontextmanager
async def open_data(directory: Path | None) -> AsyncIterator[Backend]:
    """The backend of an existing data directory. Raises `NoData`."""
    flags = {"dir": str(directory)} if directory else {}
    folder = Path(load_config(Path(), flags, os.environ).dir)
    if not (folder / FILE_NAME).exists():
        raise NoData(f"There is no data in {folder}: start a server there first, or name another folder with --dir.")
    backend = await open_backend(folder)
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


def system_access(backend: Backend) -> Access:
    """Access to all records, bound by no rule."""
    return Access(backend.engine.read, backend.plans, backend.catalog, system_scope(backend.catalog))
