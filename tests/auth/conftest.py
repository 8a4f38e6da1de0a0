"""One running club on each engine for all tests of the room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from club import Club
from post_office import PostOffice, open_office
from servers import running

from undercroft.testing import TestClient


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that goes to the club goes to one on each engine."""
    if "club" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--engine")
        engines = ["sqlite", "postgresql"] if chosen == "both" else [chosen]
        metafunc.parametrize("club", engines, indirect=True, scope="session")


@pytest.fixture(scope="session")
def club(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Club]:
    folder = tmp_path_factory.mktemp("club")
    database = "" if request.param == "sqlite" else request.getfixturevalue("postgres").database()
    with running("undercroft", folder, database) as server:
        made = Club(server, folder / "data", database)
        made.furnish()
        yield made


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def office(mailing: TestClient) -> AsyncIterator[PostOffice]:
    async with open_office(mailing) as opened:
        yield opened
