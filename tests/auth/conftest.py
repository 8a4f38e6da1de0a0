"""One running club for all tests of the room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from club import Club
from servers import running


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
