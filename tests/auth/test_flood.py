"""A flood of logins burns what logins may burn, and no more."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from club import MEMBERS, Club
from flooding import flood_of
from probing import probed
from timing import MOST, trimmed, welch

from undercroft.auth.password_guesses import MOST_BY_STRANGERS

pytestmark = [pytest.mark.anyio, pytest.mark.real_hashes]
MANY = 200


def p99(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]


def memory(pid: int, what: str) -> float:
    """What a process has of memory (`VmRSS`), or has had at most (`VmHWM`), in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:"))


async def test_flood(club: Club):
    """Of 200 logins at once some are served, the rest get 503 at once, and other requests go on."""
    account = club.join()
    address = club.server.url.removeprefix("http://")
    with probed(address) as idle:
        await asyncio.sleep(1.5)
    before = memory(club.server.pid, "VmRSS")
    body = {"identity": account.email, "password": account.password}
    with flood_of(f"{club.server.url}{MEMBERS}/auth-with-password", MANY, body) as go, probed(address) as times:
        await asyncio.sleep(0.5)  # until it asks
        answers = await asyncio.to_thread(go)

    grown = max(0.0, memory(club.server.pid, "VmHWM") - before)
    quick, slow = 1000 * p99(idle), 1000 * p99(times)
    print(f"another route: p99 {quick:.1f} ms idle, {slow:.1f} ms meanwhile; at most {grown:.0f} MiB more")  # noqa: T201
    assert set(answers) == {"200", "503 1"}
    assert answers.total() == MANY
    assert len(times) > 20
    assert max(times) < 1
    assert club.try_login(account.email, account.password).status_code == 200


@pytest.mark.slow
async def test_time_tells_nothing(club: Club):
    """An account that exists and one that does not take the same time to refuse: Welch's t stays small."""
    accounts = [club.join() for _ in range(150 // MOST_BY_STRANGERS)]
    club.expect(200, "PATCH", "/api/settings", {"rateLimits": {"excludedIPs": ["127.0.0.1"]}})
    known: list[float] = []
    unknown: list[float] = []
    async with httpx.AsyncClient(base_url=club.server.url, timeout=60) as client:
        for number in range(150):
            for times, email in (
                (known, accounts[number // MOST_BY_STRANGERS].email),
                (unknown, f"nobody{number // MOST_BY_STRANGERS}@example.com"),
            ):
                body = {"identity": email, "password": "wrong-password"}
                began = time.perf_counter()
                answer = await client.post(f"{MEMBERS}/auth-with-password", json=body)
                times.append(time.perf_counter() - began)
                assert answer.status_code == 400

    club.expect(200, "PATCH", "/api/settings", {"rateLimits": {"excludedIPs": []}})
    assert abs(welch(trimmed(known), trimmed(unknown))) < MOST
