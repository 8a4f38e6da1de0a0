"""How long a look-up takes does not tell whether there is something to be found."""

from __future__ import annotations

import os
import statistics
from random import Random
from time import perf_counter

import pytest
from timing import MOST, trimmed, welch

ROUNDS = int(os.environ.get("DRILL_TIMED_ROUNDS", "60"))
"""Look-ups of each kind; 2,000 in the long run of the tests, which alone looks at the figure."""
IS_JUDGED = ROUNDS >= 2000
RECORDS = "/api/collections/patients/records"
PEOPLE = 500


@pytest.fixture
async def patients(client):
    """A collection of which guests see no record, with an encrypted address in each."""
    root = await client.superuser()
    fields = [{"name": "mail", "type": "email", "encrypted": {"search": "equality"}}, {"name": "owner", "type": "text"}]
    rules = {"listRule": "owner = @request.auth.id && owner != ''", "createRule": None}
    body = {"name": "patients", "type": "base", "fields": fields, **rules}
    assert (await client.post("/api/collections", body, as_=root)).status == 200
    for number in range(PEOPLE):
        made = await client.post(RECORDS, {"mail": f"p{number:05}@example.com", "owner": "somebody"}, as_=root)
        assert made.status == 200
    return client


@pytest.mark.slow
async def test_there_or_not(patients, seed):
    """E22: who may not see a record cannot tell by time that its value is there."""
    chance = Random(seed)
    times = {True: [], False: []}
    kinds = [True, False] * (ROUNDS + 20)
    chance.shuffle(kinds)
    for turn, is_there in enumerate(kinds):
        number = chance.randrange(PEOPLE) + (0 if is_there else 10_000)
        began = perf_counter()
        answer = await patients.get(RECORDS, filter=f"mail = 'p{number:05}@example.com'")
        took = perf_counter() - began
        assert (answer.status, answer.json["items"]) == (200, [])
        if turn >= 40:
            times[is_there].append(took)

    t = welch(*(trimmed(each) for each in times.values()))
    medians = {kind: 1e6 * statistics.median(each) for kind, each in times.items()}
    print(f"{ROUNDS} look-ups each: there {medians[True]:.0f} µs, not there {medians[False]:.0f} µs, t = {t:.2f}")  # noqa: T201 - pytest shows it with -s
    assert not IS_JUDGED or abs(t) < MOST
