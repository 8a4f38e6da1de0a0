"""Wake-ups between nodes on one PostgreSQL."""

import asyncio

import asyncpg
import pytest
from stopwatch import Stopwatch

from undercroft.database.postgresql import PostgresEngine
from undercroft.database.wakeup_postgresql import CHANNEL, PostgresqlWakeup

pytestmark = pytest.mark.anyio


@pytest.fixture
async def nodes(postgres):
    """Two nodes on one database, connected to each other."""
    url = postgres.database()
    engines = [await PostgresEngine.open(url) for _ in range(2)]
    wakeups = [await engine.open_wakeup() for engine in engines]
    for wakeup in wakeups:
        assert await wakeup.heard(5)  # each looks once it listens
    yield wakeups
    for wakeup in wakeups:
        await wakeup.close()
    for engine in engines:
        await engine.close()


async def test_the_other_hears(nodes):
    """Who rings wakes the other node, soon, and not themselves."""
    first, second = nodes
    watch = Stopwatch()
    first.ring()

    assert await second.heard(2)
    assert watch.seconds() < 0.5
    assert not await first.heard(0.1)


async def test_many_rings_are_few(nodes):
    """A thousand rings at once are heard once or twice."""
    first, second = nodes
    for _ in range(1000):
        first.ring()

    heard = 0
    while await second.heard(0.2):
        heard += 1
    assert 1 <= heard <= 2


async def test_after_the_server_restarts_they_hear_again(nodes, postgres):
    """A connection that was ended is opened anew, and whoever listens looks at once, for they may have missed a ring."""
    first, second = nodes
    await asyncio.to_thread(
        postgres.run, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'undercroft'"
    )

    assert await second.heard(5)
    assert await first.heard(5)
    first.ring()
    assert await second.heard(2)


async def test_what_arrives_as_the_connection_closes(postgres):
    """Is heard, or is one's own, without a look at the connection that is gone."""
    opened = []

    async def connect():
        opened.append(await asyncpg.connect(postgres.url()))
        return opened[0]

    wakeup = PostgresqlWakeup(connect)
    assert await wakeup.heard(5)
    own = opened[0].get_server_pid()
    await wakeup.close()

    for sender, is_heard in ((own, False), (own + 1, True)):
        wakeup._hear(opened[0], sender, CHANNEL, "")
        assert await wakeup.heard(0.01) is is_heard
