"""Guessing passwords over several processes: they count together, and exactly."""

import asyncio
import threading

import pytest
from network import free_port
from program import run, serving
from roots import SHARED
from servers import PASSWORD, ROOT, Server
from workers import line_to_each

from undercroft import testing

LOGIN = "/api/collections/_superusers/auth-with-password"
GUESS = {"identity": ROOT, "password": "wrong"}


def test_two_workers(tmp_path):
    """A hundred guesses at each of two at once: ten are looked at, at most."""
    assert run("superuser", "upsert", ROOT, PASSWORD, "--dir", "data", folder=tmp_path).returncode == 0
    port, statuses = free_port(), []
    with serving(port, "--workers", "2", folder=tmp_path) as process, line_to_each(process.pid, port) as lines:

        def guess(line):
            statuses.extend(line.ask("POST", LOGIN, GUESS)[0] for _ in range(100))

        threads = [threading.Thread(target=guess, args=(line,)) for line in lines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # The root's own device was never here; the server's own machine is a stranger to it as well.
        answer = Server(f"http://127.0.0.1:{port}").call("POST", LOGIN, GUESS, "guest")

    print(f"{statuses.count(400)} of {len(statuses)} looked at")  # noqa: T201
    assert sorted(set(statuses)) == [400, 429]
    assert statuses.count(400) <= 10
    assert int(answer.headers["retry-after"]) > 600


@pytest.mark.anyio
async def test_two_nodes(tmp_path, postgres, postgres_furnished):
    """A hundred guesses at each of two at once: ten are looked at, at most."""
    url = postgres.database(postgres_furnished)
    async with (
        testing.client(tmp_path / "one", url, root=SHARED) as one,
        testing.client(tmp_path / "other", url, root=SHARED) as other,
    ):
        statuses = []

        async def guess(client):
            statuses.extend([(await client.post(LOGIN, GUESS)).status for _ in range(100)])

        await asyncio.gather(*(guess(client) for client in (one, other) for _ in range(4)))

    print(f"{statuses.count(400)} of {len(statuses)} looked at")  # noqa: T201
    assert statuses.count(400) <= 10
    assert statuses.count(400) + statuses.count(429) == len(statuses)
