"""A process that does jobs: each leaves a row behind. Arguments: the database, a name; the root key is in the environment."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from roots import open_ring

from undercroft.database.opening import open_engine
from undercroft.jobs.job import Claimed
from undercroft.jobs.worker import Pace, Worker
from undercroft.keys.options import KEY, RootOptions

PACE = Pace(at_once=16, look_every=0.2, claim=3.0, first_delay=0.1)


async def main(directory: str, database: str, name: str) -> None:
    engine = await open_engine(Path(directory), database)
    await open_ring(engine, RootOptions(key=os.environ[KEY]))
    mark = engine.dialect.placeholder

    async def leave_a_row(job: Claimed) -> None:
        sql = f'INSERT INTO "effects" ("job", "attempt", "worker") VALUES ({mark(1)}, {mark(2)}, {mark(3)})'
        await engine.write(lambda tx: tx.run(sql, (job.values()["number"], job.attempt, name)))

    await Worker(engine, leave_a_row, PACE).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
