"""Rate limits over several processes: they count together."""

import asyncio
import time

import pytest
from network import free_port
from program import run, serving
from roots import SHARED
from servers import PASSWORD, ROOT, Server
from workers import line_to_each

from undercroft import testing

HEALTH = "/api/health"
RULES = {"rateLimits": {"enabled": True, "rules": [{"label": HEALTH, "maxRequests": 40, "duration": 600}]}}
MOST_SECONDS = 30


def test_workers_count_together(tmp_path):
    """What one of two workers let in, the other does not let in again."""
    assert run("superuser", "upsert", ROOT, PASSWORD, "--dir", "data", folder=tmp_path).returncode == 0
    port = free_port()
    with serving(port, "--workers", "2", "--rate-limits", folder=tmp_path) as process:
        server = Server(f"http://127.0.0.1:{port}")
        server.sign_in("root", "_superusers", ROOT)
        with line_to_each(process.pid, port) as (one, other):
            assert server.call("PATCH", "/api/settings", RULES).status_code == 200
            through = count_until_refused(lambda: one.ask("GET", HEALTH)[0])
            more = count_until_refused(lambda: other.ask("GET", HEALTH)[0])

    print(f"one worker let in {through}, the other {more}, where 40 may")  # noqa: T201
    assert through <= 40
    assert more < 40


def count_until_refused(ask):
    """How many got through until twenty in a row did not."""
    through, refused, deadline = 0, 0, time.monotonic() + MOST_SECONDS
    while refused < 20:
        assert time.monotonic() < deadline
        is_refused = ask() == 429
        through, refused = through + (not is_refused), refused + 1 if is_refused else 0
        time.sleep(0.01)
    return through


@pytest.mark.anyio
async def test_nodes_count_together(tmp_path, postgres, postgres_furnished):
    """What one node let in, the other does not let in again."""
    url = postgres.database(postgres_furnished)
    async with (
        testing.client(tmp_path / "one", url, root=SHARED, rate_limits=True) as one,
        testing.client(tmp_path / "other", url, root=SHARED, rate_limits=True) as other,
    ):
        token = await one.superuser()
        assert (await one.patch("/api/settings", RULES, as_=token)).status == 200
        await until(lambda: other.backend.settings.rate_limits == one.backend.settings.rate_limits)
        while (await one.get(HEALTH)).status == 200:
            pass
        more = 0
        while (await other.get(HEALTH)).status == 200:
            more += 1
            await asyncio.sleep(0.01)

    print(f"the other node let in {more} more, where 40 may")  # noqa: T201
    assert more < 40


async def until(holds):
    """Return once it holds."""
    deadline = time.monotonic() + MOST_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
