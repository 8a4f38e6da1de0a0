"""Several nodes on one PostgreSQL: what one changes the others obey, and what all change stays exact."""

import asyncio

import pytest
from roots import SHARED
from stopwatch import Stopwatch

from undercroft import testing

pytestmark = pytest.mark.anyio

OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
FIELDS = [{"name": "name", "type": "text"}, {"name": "n", "type": "number"}]
POSTS = "/api/collections/posts"


@pytest.fixture
async def nodes(tmp_path, postgres, postgres_furnished):
    """Two nodes and a superuser's token; `posts` is open to all, its names are unique."""
    url = postgres.database(postgres_furnished)
    async with (
        testing.client(tmp_path / "one", url, root=SHARED) as one,
        testing.client(tmp_path / "other", url, root=SHARED) as other,
    ):
        token = await one.superuser()
        indexes = ["CREATE UNIQUE INDEX one_name ON posts (name)"]
        body = {"name": "posts", "type": "base", "fields": FIELDS, "indexes": indexes, **OPEN}
        assert (await one.post("/api/collections", body, as_=token)).status == 200
        await until(lambda: other.get(f"{POSTS}/records"), 200)
        yield one, other, token


async def until(ask, status):
    """Seconds until a request is answered with a status."""
    watch = Stopwatch()
    while (await ask()).status != status:
        assert watch.seconds() < 5
        await asyncio.sleep(0.01)
    return watch.seconds()


async def test_a_rule_changed_on_one_is_obeyed_on_the_other(nodes):
    """Within a second, also while both write."""
    one, other, token = nodes
    is_over = False

    async def load(client, name):
        number = 0
        while not is_over:
            number += 1
            await client.post(f"{POSTS}/records", {"name": f"{name}{number}"})

    running = [asyncio.create_task(load(client, name)) for client, name in ((one, "a"), (other, "b"))]
    try:
        for rule, status in ((None, 403), ("", 200)) * 3:
            assert (await one.patch(POSTS, {"listRule": rule}, as_=token)).status == 200
            assert await until(lambda: other.get(f"{POSTS}/records"), status) < 1
    finally:
        is_over = True
        await asyncio.gather(*running)


async def test_increments_from_all_nodes_are_exact(nodes):
    """Fifty clients that add one count to fifty, every time."""
    one, other, _ = nodes
    record = (await one.post(f"{POSTS}/records", {"name": "counter"})).json["id"]
    path = f"{POSTS}/records/{record}"
    for _ in range(3):
        answers = await asyncio.gather(*((one, other)[n % 2].patch(path, {"n+": 1}) for n in range(50)))
        assert [answer.status for answer in answers] == [200] * 50

    assert (await other.get(path)).json["n"] == 150


async def test_one_of_many_gets_a_unique_name(nodes):
    """The others are told that it is taken."""
    one, other, _ = nodes
    for number in range(10):
        posts = ((one, other)[n % 2].post(f"{POSTS}/records", {"name": f"name{number}"}) for n in range(20))
        statuses = sorted([answer.status for answer in await asyncio.gather(*posts)])
        assert statuses == [200, *[400] * 19]


async def test_a_rule_that_counts_is_not_outrun(nodes):
    """What a rule saw is still true when the record is written: ten at once get one seat."""
    one, other, token = nodes
    rule = "@collection.posts.name != @request.body.name"
    assert (await one.patch(POSTS, {"createRule": rule, "indexes": []}, as_=token)).status == 200
    await one.post(f"{POSTS}/records", {"name": "first"}, as_=token)
    await asyncio.sleep(0.5)
    for number in range(5):
        seats = ((one, other)[n % 2].post(f"{POSTS}/records", {"name": f"seat{number}"}) for n in range(10))
        statuses = sorted([answer.status for answer in await asyncio.gather(*seats)])
        assert statuses == [200, *[400] * 9]
