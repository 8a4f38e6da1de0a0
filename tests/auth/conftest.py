"""One running club for all tests of the room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from club import Club
from post_office import PostOffice, open_office
from servers import running

from undercroft.testing import TestClient


@pytest.fixture(scope="session")
def club(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Club]:
    folder = tmp_path_factory.mktemp("club")
    with running("undercroft", folder) as server:
        made = Club(server, folder / "data")
        made.furnish()
        yield made


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def office(client: TestClient) -> AsyncIterator[PostOffice]:
    async with open_office(client) as opened:
        yield opened
