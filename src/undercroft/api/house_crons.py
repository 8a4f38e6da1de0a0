"""The crons that every server has, under the names that the wire knows them by."""

from __future__ import annotations

from functools import partial
from typing import Final

from undercroft.api.job_events import JobRun
from undercroft.auth.kept import forget_expired, has_expired
from undercroft.database.changes import forget_old_changes, has_old_changes
from undercroft.database.engine import Transaction
from undercroft.database.queue_keeping import forget_old, has_old
from undercroft.jobs.job import Job
from undercroft.jobs.queue import JOBS
from undercroft.mail.outbox import LETTERS


async def optimize(run: JobRun) -> None:
    """Have the database look at its tables, so that it plans well."""
    statement = run.backend.engine.dialect.refresh_statistics()
    await run.backend.engine.write(lambda tx: tx.run(statement))


async def forget_codes(run: JobRun) -> None:
    """Forget codes and half-done log-ins whose time is over."""
    engine, catalog = run.backend.engine, run.backend.catalog
    if await has_expired(engine, catalog):
        await engine.write(lambda tx: forget_expired(tx, engine.dialect, catalog))


async def forget_logs(run: JobRun) -> None:
    """Forget old changes, letters and jobs."""
    engine = run.backend.engine
    sweeps = (
        (has_old_changes, forget_old_changes),
        (partial(has_old, queue=LETTERS), partial(forget_old, queue=LETTERS)),
        (partial(has_old, queue=JOBS), partial(forget_old, queue=JOBS)),
    )
    for is_needed, forget in sweeps:

        async def sweep(tx: Transaction, forget=forget) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - bound now
            await forget(tx, engine.dialect)

        while await is_needed(engine):
            await engine.write(sweep)


HOUSE_CRONS: Final = (
    Job("__pbDBOptimize__", optimize, 1, expression="0 0 * * *"),
    Job("__pbMFACleanup__", forget_codes, 1, expression="0 * * * *"),
    Job("__pbOTPCleanup__", forget_codes, 1, expression="0 * * * *"),
    Job("__pbLogsCleanup__", forget_logs, 1, expression="0 */6 * * *"),
)
