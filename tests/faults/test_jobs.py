"""Ten thousand jobs, four processes that do them, kill -9 at random: none is lost, and what is done twice is told."""

import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from roots import environment

from undercroft.database.queue_keeping import count_states
from undercroft.jobs.job import Job, order
from undercroft.jobs.queue import JOBS, enqueue

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

COUNT = 10_000
WORKERS = 4
KILLS = 20
PROGRAM = Path(__file__).parent.parent / "support" / "working.py"


@pytest.fixture
def start(engine, database, tmp_path):
    """Starts a process that does jobs."""
    started = []

    def one():
        command = [sys.executable, str(PROGRAM), str(tmp_path), database, str(len(started))]
        started.append(subprocess.Popen(command, env=os.environ | environment()))
        return started[-1]

    yield one
    for process in started:
        process.kill()
        process.wait()


async def test_none_is_lost(engine, start, seed):
    """Each job leaves its row once, or again by a higher attempt that knows it; no more of those than kills allow."""
    chance, job = Random(seed), Job("leave_a_row", print, tries=50)
    columns = f'"id" {engine.dialect.counter_type()}, "job" bigint, "attempt" bigint, "worker" text'
    await engine.write(lambda tx: tx.run(f'CREATE TABLE "effects" ({columns})'))

    async def fill(tx):
        for number in range(COUNT):
            await enqueue(tx, engine.dialect, order(job, {"number": number}))

    await engine.write(fill)
    began = time.monotonic()
    workers, kills = [start() for _ in range(WORKERS)], 0
    while (await count_states(engine, JOBS)).get("done", 0) < COUNT:
        assert time.monotonic() - began < 500
        time.sleep(chance.uniform(0.5, 2.0))  # noqa: ASYNC251 - nothing else runs here
        if kills < KILLS:
            victim = chance.randrange(WORKERS)
            workers[victim].kill()
            workers[victim].wait()
            workers[victim] = start()
            kills += 1
    took = time.monotonic() - began

    rows = await engine.read('SELECT "job", "attempt" FROM "effects" ORDER BY "id"')
    attempts: dict[int, list[int]] = {}
    for number, attempt in rows:
        attempts.setdefault(number, []).append(attempt)
    again = [found for found in attempts.values() if len(found) > 1]
    print(f"{len(attempts)} jobs in {took:.0f} s, {kills} kills, {len(rows) - COUNT} done again")  # noqa: T201
    assert sorted(attempts) == list(range(COUNT))
    assert all(later > 1 for found in again for later in found[1:])
    assert all(len(set(found)) == len(found) for found in again)
    assert len(rows) - COUNT <= kills * 16
    assert kills > 0
