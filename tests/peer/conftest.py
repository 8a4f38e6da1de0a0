"""Both servers, in the same world."""

from __future__ import annotations

import pytest
from cellar import furnish
from servers import running


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    """The peer, whose answers are right by definition."""
    with running("pocketbase", tmp_path_factory.mktemp("peer")) as server:
        furnish(server)
        yield server


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Undercroft."""
    with running("undercroft", tmp_path_factory.mktemp("ours")) as server:
        furnish(server)
        yield server
