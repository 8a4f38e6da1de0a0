"""Tests of files run on each store: a folder, and a bucket of a real S3 server."""

from __future__ import annotations

import pytest
from s3_server import KEYS

from undercroft import testing
from undercroft.files.choose import open_files


def pytest_generate_tests(metafunc):
    """Every test that uses a store of files runs on each, unless it is about the folder alone."""
    if "files_url" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--store")
    stores = ["local", "s3"] if chosen == "both" else [chosen]
    if metafunc.definition.get_closest_marker("local_only"):
        stores = [store for store in stores if store == "local"]
    metafunc.parametrize("files_url", stores, indirect=True, scope="function")


@pytest.fixture
def files_url(request, monkeypatch):
    """Where files are: `local`, or the URL of a new place in a bucket."""
    if request.param == "local":
        return "local"
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return request.getfixturevalue("s3").url()


@pytest.fixture
async def client(tmp_path, database, files_url):
    """A client of a backend on an empty data directory, with its files in each store."""
    async with testing.client(tmp_path, database, files_url) as opened:
        yield opened


@pytest.fixture
async def store(tmp_path, files_url):
    """An empty store of files."""
    opened = open_files(files_url, tmp_path, KEYS, lambda: None)
    yield opened
    await opened.close()
