"""What every test may ask for."""

from __future__ import annotations

import os
import secrets

import pytest

from undercroft import testing
from undercroft.database.formats import SYSTEM_MIGRATIONS
from undercroft.database.migrations import migrate
from undercroft.database.sqlite import SqliteEngine

SEEDS = pytest.StashKey[list[str]]()


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


@pytest.fixture
def seed(request):
    """What chance starts from; printed, and set with UNDERCROFT_SEED to run the same again."""
    chosen = int(os.environ.get("UNDERCROFT_SEED") or secrets.randbelow(10**9))
    request.config.stash.setdefault(SEEDS, []).append(f"UNDERCROFT_SEED={chosen} for {request.node.nodeid}")
    print(f"UNDERCROFT_SEED={chosen}")  # noqa: T201 - pytest shows it when the test fails
    return chosen


def pytest_terminal_summary(terminalreporter, config):
    """Print what chance started from, also when all went well."""
    for line in config.stash.get(SEEDS, []):
        terminalreporter.write_line(line)
