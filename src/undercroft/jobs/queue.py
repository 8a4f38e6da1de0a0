"""Jobs that wait: put in inside the transaction they belong to, taken by whoever is free.

What was done keeps its row for some days, so that one can see that it was; what was given
up keeps it for longer, and can be tried again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Row, Texts, Transaction, Value
from undercroft.database.queue import Queue, claim
from undercroft.dates import now
from undercroft.errors import Conflict, NotFound
from undercroft.jobs.job import TRIES, Claimed, Order

DONE_DAYS: Final = 7
DEAD_DAYS: Final = 30
JOBS: Final = Queue(
    "_jobs",
    "job",
    ("id", "name", "arguments", "tries", "note"),
    "running",
    {"done": DONE_DAYS, "cancelled": DONE_DAYS, "dead": DEAD_DAYS},
)
STATES: Final = ("waiting", "running", "done", "dead", "cancelled")
_COLUMNS: Final = (
    *("id", "name", "arguments", "state", "note", "attempts", "tries", "progress", "created", "updated"),
)


class JobNotFound(NotFound):
    """There is no job of that id."""

    code = "job_not_found"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {job_id!r}. `undercroft jobs list --all` shows all.")


class JobOver(Conflict):
    """The job is in a state in which this cannot be done to it."""

    code = "job_over"


@dataclass(frozen=True, slots=True)
class Entry:
    """A job as one looks at it."""

    id: str
    name: str
    arguments: str
    state: str
    note: str
    attempts: int
    tries: int
    progress: float
    created: str
    updated: str


async def enqueue(tx: Transaction, dialect: Dialect, order: Order) -> bool:
    """Have a job done once the transaction is durable; undone with it otherwise. False when its id is there already."""
    mark, moment = dialect.placeholder, now()
    due = f"{dialect.clock()} + {mark(7, 'number')}" if order.delay else "0"
    names = ", ".join(
        f'"{name}"' for name in ("id", "name", "arguments", "tries", "created", "updated", "state", "due")
    )
    sql = f"""INSERT INTO "_jobs" ({names}) VALUES ({mark(1)}, {mark(2)}, {mark(3)}, {mark(4)},
        {mark(5, "date")}, {mark(6, "date")}, 'waiting', {due}) ON CONFLICT ("id") DO NOTHING RETURNING "id\""""
    sealed = tx.texts.seal_text(_place(order.id), order.arguments)
    values: list[Value] = [order.id, order.name, sealed, order.tries, moment, moment]
    added = bool(await tx.run(sql, [*values, order.delay] if order.delay else values))
    tx.announce(JOBS.kind)
    return added


async def claim_jobs(tx: Transaction, dialect: Dialect, most: int, seconds: float) -> list[Claimed]:
    """At most so many jobs that are due, for this process to do within some seconds."""
    return [_claimed(row, tx.texts) for row in await claim(tx, dialect, JOBS, most, seconds)]


async def note_progress(tx: Transaction, dialect: Dialect, job: Claimed, part: float, note: str) -> None:
    """Say how far a job has come, from 0 to 1."""
    mark = dialect.placeholder
    sql = f"""UPDATE "_jobs" SET "progress" = {mark(1, "number")}, "note" = {mark(2)}, "updated" = {mark(3, "date")}
        WHERE "id" = {mark(4)} AND "state" = 'running' AND "attempts" = {mark(5)}"""
    await tx.run(sql, (min(max(part, 0.0), 1.0), note, now(), job.id, job.attempt))


async def list_jobs(engine: Engine, states: tuple[str, ...], limit: int = 100, name: str = "") -> list[Entry]:
    """The newest jobs in one of these states, newest first."""
    mark = engine.dialect.placeholder
    values: list[Value] = [*states, *([name] if name else []), limit]
    places = ", ".join(mark(number) for number in range(1, len(states) + 1))
    named = f' AND "name" = {mark(len(states) + 1)}' if name else ""
    sql = f"""SELECT {_names()} FROM "_jobs" WHERE "state" IN ({places}){named}
        ORDER BY "created" DESC, "id" LIMIT {mark(len(values))}"""
    return [_entry(row, engine.texts) for row in await engine.read(sql, values)]


async def load_job(engine: Engine, job_id: str) -> Entry:
    """A job. Raises `JobNotFound`."""
    sql = f"""SELECT {_names()} FROM "_jobs" WHERE "id" = {engine.dialect.placeholder(1)}"""
    rows = await engine.read(sql, (job_id,))
    if not rows:
        raise JobNotFound(job_id)
    return _entry(rows[0], engine.texts)


async def retry_jobs(engine: Engine, job_id: str = "") -> int:
    """Have a job tried again at once, or all that wait for another try or were given up; how many.

    Attempts are counted on, so that whoever does it knows. Raises `JobNotFound` and `JobOver`.
    """
    mark = engine.dialect.placeholder
    which = """("state" = 'dead' OR ("state" = 'waiting' AND "attempts" > 0))"""
    if job_id:
        if (entry := await load_job(engine, job_id)).state in {"done", "running"}:
            raise JobOver(f"Job {job_id} is {entry.state} already.")
        which = f"""("id" = {mark(2)} AND "state" IN ('waiting', 'dead', 'cancelled'))"""
    sets = f""""state" = 'waiting', "due" = 0, "progress" = 0, "tries" = "attempts" + {TRIES}"""
    return await _change(engine, sets, which, (job_id,) if job_id else ())


async def cancel_job(engine: Engine, job_id: str) -> None:
    """Have a job done no more; whoever does it now is stopped within seconds. Raises `JobNotFound` and `JobOver`."""
    which = f"""("id" = {engine.dialect.placeholder(2)} AND {JOBS.is_open})"""
    if not await _change(engine, """"state" = 'cancelled'""", which, (job_id,)):
        entry = await load_job(engine, job_id)
        raise JobOver(f"Job {job_id} is {entry.state} already.")


async def _change(engine: Engine, sets: str, which: str, values: tuple[str, ...]) -> int:
    sql = f"""UPDATE "_jobs" SET "updated" = {engine.dialect.placeholder(1, "date")}, {sets}
        WHERE {which} RETURNING "id\""""

    async def change(tx: Transaction) -> int:
        tx.announce(JOBS.kind)
        return len(await tx.run(sql, (now(), *values)))

    return await engine.write(change)


def _names() -> str:
    return ", ".join(f'"{name}"' for name in _COLUMNS)


def _place(job_id: str) -> str:
    return f"_jobs|arguments|{job_id}"


def _claimed(row: Row, texts: Texts) -> Claimed:
    job_id, name, kept, tries, note, attempt = row
    arguments = texts.open_text(_place(str(job_id)), str(kept))
    return Claimed(str(job_id), str(name), arguments, int(tries or 0), int(attempt or 0), str(note))


def _entry(row: Row, texts: Texts) -> Entry:
    job_id, name, kept, state, note, attempts, tries, progress, created, updated = row
    counts = int(attempts or 0), int(tries or 0)
    arguments = texts.open_text(_place(str(job_id)), str(kept))
    plain = str(job_id), str(name), arguments, str(state), str(note)
    return Entry(*plain, *counts, float(progress or 0), str(created), str(updated))
