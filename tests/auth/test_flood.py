"""A flood of logins burns what logins may burn, and no more."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from club import MEMBERS, Club
from flooding import crowd_at
from probing import probed
from stopwatch import Stopwatch
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
    """Of 200 who log in at once some wait in line, the rest get 503 at once and come again, and other requests go on."""
    account = club.join()
    address = club.server.url.removeprefix("http://")
    with probed(address) as idle:
        await asyncio.sleep(3)
    before = memory(club.server.pid, "VmRSS")
    path, body = f"{MEMBERS}/auth-with-password", {"identity": account.email, "password": account.password}
    async with crowd_at(address, MANY) as people:
        watch = Stopwatch()
        with probed(address) as times:
            await asyncio.sleep(0.5)  # until it asks
            tries = await asyncio.gather(*(person.post(path, body) for person in people))
        stall = watch.longest_stall()

    grown = max(0.0, memory(club.server.pid, "VmHWM") - before)
    quick, slow = 1000 * p99(idle), 1000 * p99(times)
    answers = Counter(answer for each in tries for answer in each)
    print(*(f"{answer} x {count}" for answer, count in sorted(answers.items())), sep=", ")  # noqa: T201
    print(f"another route: p99 {quick:.1f} ms idle, {slow:.1f} ms meanwhile; at most {grown:.0f} MiB more")  # noqa: T201
    assert all(each[-1] == "200" for each in tries)
    assert answers["503 1"] > 0
    assert answers["503 4"] > 0, "all were told to come back at the same time"
    assert len(times) > 20
    assert max(times) < 1 + stall
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
            pair = [
                (known, accounts[number // MOST_BY_STRANGERS].email),
                (unknown, f"nobody{number // MOST_BY_STRANGERS}@example.com"),
            ]
            for times, email in pair if number % 2 else reversed(pair):
                body = {"identity": email, "password": "wrong-password"}
                began = time.perf_counter()
                answer = await client.post(f"{MEMBERS}/auth-with-password", json=body)
                times.append(time.perf_counter() - began)
                assert answer.status_code == 400

    club.expect(200, "PATCH", "/api/settings", {"rateLimits": {"excludedIPs": []}})
    assert abs(welch(trimmed(known), trimmed(unknown))) < MOST
