"""A provider, and a collection that knows it, on each engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from door import Door
from idp import Idp, running_idp

from undercroft import testing

OWN_MACHINE = ["127.0.0.0/8"]


@pytest.fixture
def idp() -> Iterator[Idp]:
    with running_idp() as provider:
        yield provider


@pytest.fixture
async def door(tmp_path, database, idp) -> AsyncIterator[Door]:
    async with testing.client(tmp_path, database, outgoing_networks=OWN_MACHINE) as client:
        opened = Door(client, await client.superuser(), idp)
        await opened.options(authAlert={"enabled": False})
        await opened.know(idp.config(), mappedFields={"name": "name", "avatarURL": "avatar"})
        yield opened
