"""The network to PostgreSQL goes bad without closing anything: short waits, clear answers, and going again soon."""

import asyncio

import pytest
from proxy import Proxy
from roots import SHARED
from stopwatch import Stopwatch

from undercroft import testing
from undercroft.database.faults import DatabaseUnreachable, OutcomeUnknown
from undercroft.database.postgresql import PostgresEngine
from undercroft.database.postgresql_options import PostgresOptions

pytestmark = pytest.mark.anyio

NOTES = "/api/collections/notes/records"
COUNTER = 'CREATE TABLE IF NOT EXISTS "counter" ("n" bigint NOT NULL)'
BOUND = 4.0  # seconds: one to get suspicious, one and a half to ask the server, and some for a busy machine


@pytest.fixture
async def network(postgres, postgres_furnished):
    """A network to a new database, and the database's URL through it."""
    async with Proxy.between(postgres.database(postgres_furnished)) as (proxy, url):
        yield proxy, url


@pytest.fixture
async def engine(network):
    engine = await PostgresEngine.open(network[1], PostgresOptions(pool_size=4))
    await engine.write(lambda tx: tx.run(COUNTER))
    await engine.write(lambda tx: tx.run('INSERT INTO "counter" VALUES (0)'))
    yield engine
    network[0].is_dead = False
    await engine.close()


async def increment(tx):
    await tx.run('UPDATE "counter" SET "n" = "n" + 1')


async def seconds_until(work):
    """How long it takes until something succeeds that raises while the database is not there."""
    watch = Stopwatch()
    while True:
        try:
            await work()
        except DatabaseUnreachable:
            await asyncio.sleep(0.02)
        else:
            return watch.seconds()


async def test_a_dead_network_is_noticed(engine, network):
    """A read is told that the database cannot be reached, and who comes next is told at once."""
    network[0].is_dead = True
    for most in (BOUND, 0.5):
        watch = Stopwatch()
        with pytest.raises(DatabaseUnreachable) as refused:
            await engine.read("SELECT 1")
        assert watch.seconds() < most
    assert refused.value.retry_after >= 1


async def test_a_dead_network_is_noticed_by_writes(engine, network):
    """Nothing was changed, and the answer says so."""
    network[0].is_dead = True
    watch = Stopwatch()
    with pytest.raises(DatabaseUnreachable):
        await engine.write(increment)
    assert watch.seconds() < BOUND

    network[0].is_dead = False
    await seconds_until(lambda: engine.read("SELECT 1"))
    assert await engine.read('SELECT "n" FROM "counter"') == [(0,)]


async def test_it_goes_again_when_the_network_does(engine, network):
    """Within two seconds, three times over."""
    for number in range(1, 4):
        network[0].is_dead = True
        with pytest.raises(DatabaseUnreachable):
            await engine.read("SELECT 1")
        network[0].is_dead = False
        took = await seconds_until(lambda: engine.write(increment))
        print(f"writes again after {took:.2f} s")  # noqa: T201
        assert took < 2
        assert await engine.read('SELECT "n" FROM "counter"') == [(number,)]


async def test_a_connection_that_died_unnoticed_is_replaced(engine, network):
    """A network that was dead while nobody asked: the first to ask again wait a moment, and are answered."""
    await asyncio.gather(*(engine.read("SELECT pg_sleep(0.02)") for _ in range(4)))
    network[0].is_dead = True
    network[0].is_dead = False

    watch = Stopwatch()
    assert await asyncio.gather(*(engine.read("SELECT 1") for _ in range(8))) == [[(1,)]] * 8
    assert watch.seconds() < BOUND


async def test_a_commit_into_a_dead_network_leaves_the_outcome_unknown(engine, network):
    """Its answer may be what was lost."""

    async def operation(tx):
        await increment(tx)
        network[0].is_dead = True

    with pytest.raises(OutcomeUnknown):
        await engine.write(operation)


async def test_what_a_dead_connection_held_is_released(engine, network, postgres):
    """A write that held everything when the network died holds up nobody for long."""
    went = asyncio.Event()

    async def hold(tx):
        await increment(tx)
        network[0].is_dead = True
        went.set()
        await tx.run("SELECT 1")

    with pytest.raises(DatabaseUnreachable):
        await engine.write(hold, alone=True)
    network[0].is_dead = False

    assert await seconds_until(lambda: engine.write(increment)) < 2
    assert await engine.read('SELECT "n" FROM "counter"') == [(1,)]


async def test_a_slow_statement_is_left_alone(engine):
    """A server that works on a statement is waited for."""
    assert await engine.read("SELECT 1 FROM pg_sleep(2.5)") == [(1,)]


async def test_a_slow_network_is_only_slow(engine, network):
    """With fifty milliseconds more each way everything works as before."""
    network[0].delay = 0.05
    for _ in range(3):
        await engine.write(increment)

    assert await engine.read('SELECT "n" FROM "counter"') == [(3,)]


async def test_clients_are_told_to_come_back(tmp_path, network):
    """Two hundred at once, more than there are connections: 503 with Retry-After in bounded time, then 200 again."""
    proxy, url = network
    async with testing.client(tmp_path, url, root=SHARED) as client:
        body = {"name": "notes", "type": "base", "listRule": "", "createRule": "", "fields": []}
        assert (await client.post("/api/collections", body, as_=await client.superuser())).status == 200
        proxy.is_dead = True
        watch = Stopwatch()
        answers = await asyncio.gather(*(ask(client, number) for number in range(200)))
        longest = watch.seconds()
        proxy.is_dead = False

        assert {answer.status for answer in answers} == {503}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
        assert longest < 2 * BOUND
        watch = Stopwatch()
        while (await ask(client, 0)).status != 200:
            assert watch.seconds() < 2
            await asyncio.sleep(0.02)
        print(f"200 answers within {longest:.2f} s, again after {watch.seconds():.2f} s")  # noqa: T201
        assert {answer.status for answer in await asyncio.gather(*(ask(client, n) for n in range(200)))} == {200}


async def ask(client, number):
    return await (client.post(NOTES, {}) if number % 2 else client.get(NOTES))
