"""Whether an address has an account is told by no answer, and not by how long it takes."""

from __future__ import annotations

import os
import re
from random import Random
from statistics import median
from time import perf_counter

import pytest
from after_answers import hold
from post_office import PASSWORD, USERS
from timing import MOST, trimmed, welch

from undercroft.auth.password_guesses import MOST_BY_STRANGERS

pytestmark = [pytest.mark.anyio, pytest.mark.real_hashes]
ROUNDS = int(os.environ.get("DRILL_TIMED_ROUNDS", "25"))
"""Requests of each kind; 500 in the long run of the tests, which alone judges the figure."""
IS_JUDGED = ROUNDS >= 500
WARM = 5
WAYS = {
    "log-in": ("auth-with-password", lambda email: {"identity": email, "password": "wrong-password"}),
    "new password": ("request-password-reset", lambda email: {"email": email}),
    "code": ("request-otp", lambda email: {"email": email}),
    "verification": ("request-verification", lambda email: {"email": email}),
    "link": ("request-magic-link", lambda email: {"email": email}),
}
OF_EACH = {"date", "x-request-id"}


@pytest.fixture
async def people(client):
    """Accounts, of whom none has asked for anything yet."""
    root = await client.superuser()
    options = {"otp": {"enabled": True}, "magicLink": {"enabled": True}, "authAlert": {"enabled": False}}
    assert (await client.patch(USERS, options, as_=root)).status == 200
    excluded = {"rateLimits": {"excludedIPs": ["127.0.0.1"]}}
    assert (await client.patch("/api/settings", excluded, as_=root)).status == 200
    for number in range(count_of_people()):
        body = {"email": f"known{number:04}@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}
        assert (await client.post(f"{USERS}/records", body, as_=root)).status == 200
    return client


def count_of_people():
    return (ROUNDS + WARM) // MOST_BY_STRANGERS + 1


def shape(answer):
    """An answer, but for what is another one each time: ids, which have one length."""
    headers = {name: value for name, value in answer.headers.items() if name not in OF_EACH}
    body = re.sub(rb'"otpId":"[a-z0-9]{15}"', b'"otpId":""', answer.body)
    return answer.status, headers, len(answer.body), body


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
async def test_there_or_not(people, seed, way):
    """To an address that somebody has the answer is the same as to one that nobody has, and takes as long."""
    path, body = WAYS[way]
    chance, times, shapes = Random(seed), {"known": [], "never": []}, []
    turns = [kind for kind in times for _ in range(ROUNDS + WARM)]
    chance.shuffle(turns)
    done = dict.fromkeys(times, 0)
    for kind in turns:
        number, done[kind] = done[kind] // MOST_BY_STRANGERS, done[kind] + 1
        began = perf_counter()
        answer = await people.post(f"{USERS}/{path}", body(f"{kind}{number:04}@example.com"))
        took = perf_counter() - began
        await people.backend.errands.done()  # what follows the answer is no part of it
        if done[kind] > WARM:
            times[kind].append(took)
        shapes.append(shape(answer))

    t = welch(*(trimmed(each) for each in times.values()))
    known, never = (1e6 * median(each) for each in times.values())
    print(f"{way}, {ROUNDS} each: known {known:.0f} µs, unknown {never:.0f} µs, t = {t:.2f}")  # noqa: T201 - pytest shows it with -s
    assert shapes[0][0] in {200, 204, 400}
    assert all(each == shapes[0] for each in shapes)
    assert not IS_JUDGED or abs(t) < MOST


async def test_letters_come_after_the_answer(people):
    """When the answer is there the letter is not even written."""
    engine, errands = people.backend.engine, people.backend.errands
    begin = hold(errands)
    for path in ("request-password-reset", "request-verification", "request-magic-link"):
        begin.clear()
        assert (await people.post(f"{USERS}/{path}", {"email": "known0000@example.com"})).status == 204
        assert await engine.read('SELECT 1 FROM "_outbox"') == []
        begin.set()
        await errands.done()
        assert await engine.read('SELECT 1 FROM "_outbox"') != []
        await engine.write(lambda tx: tx.run('DELETE FROM "_outbox"'))
