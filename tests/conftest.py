"""What every test may ask for."""

from __future__ import annotations

import pytest

from undercroft import testing
from undercroft.database.formats import SYSTEM_MIGRATIONS
from undercroft.database.migrations import migrate
from undercroft.database.sqlite import SqliteEngine


@pytest.fixture
def anyio_backend():
    """Async tests run under asyncio."""
    return "asyncio"


@pytest.fixture
async def engine(tmp_path):
    """An open database in the newest format, without collections."""
    opened = await SqliteEngine.open(tmp_path / "data.db")
    await migrate(opened, SYSTEM_MIGRATIONS)
    yield opened
    await opened.close()


@pytest.fixture
async def client(tmp_path):
    """A client of a backend on an empty data directory."""
    async with testing.client(tmp_path) as opened:
        yield opened
