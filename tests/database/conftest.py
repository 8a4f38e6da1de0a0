"""A real engine on a file of its own."""

import contextlib

import pytest

from undercroft.database.sqlite import SqliteEngine
from undercroft.database.sqlite_options import SqliteOptions

COUNT_SLOWLY = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
    SELECT count(*) FROM n"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.db"


@pytest.fixture
def opened(path):
    """Opens an engine with options and a table `notes`; closes it at the end of the block."""

    @contextlib.asynccontextmanager
    async def open_engine(**options):
        engine = await SqliteEngine.open(path, SqliteOptions(**options))
        try:
            await engine.write(make_notes)
            yield engine
        finally:
            await engine.close()

    return open_engine


@pytest.fixture
async def engine(opened):
    async with opened() as engine:
        yield engine


@pytest.fixture
def count_slowly():
    """A statement that counts up to its value, one step after the other."""
    return COUNT_SLOWLY


@pytest.fixture
def add():
    """An operation that adds a note."""
    return add_note


async def make_notes(tx):
    await tx.run("CREATE TABLE IF NOT EXISTS notes (id TEXT PRIMARY KEY NOT NULL, text TEXT DEFAULT '' NOT NULL)")


def add_note(name, text=""):
    async def operation(tx):
        await tx.run("INSERT INTO notes (id, text) VALUES (?, ?)", (name, text))
        return name

    return operation
