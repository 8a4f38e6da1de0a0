"""`undercroft jobs`: what is done in the background, what was given up, and doing it again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import click
import msgspec

from undercroft.backend import Backend
from undercroft.cli.data import Place, open_data, place_options
from undercroft.database.queue_keeping import count_states
from undercroft.jobs.job import Job, order
from undercroft.jobs.queue import (
    DEAD_DAYS,
    DONE_DAYS,
    JOBS,
    STATES,
    Entry,
    cancel_job,
    enqueue,
    list_jobs,
    load_job,
    retry_jobs,
)

_OPEN: Final = ("waiting", "running", "dead")
_HEADS: Final = ("ID", "JOB", "STATE", "TRIES", "CREATED", "NOTE")
_SOON: Final = "as soon as a server runs on these data"
T = TypeVar("T")


@click.group()
def command() -> None:
    """Show what is done in the background, start it, stop it, and try again what was given up.

    \b
    Examples:
      undercroft jobs list
      undercroft jobs show k3x0q8w1z5m7c2v
      undercroft jobs run tidy
      undercroft jobs retry --all
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines


@command.command("list")
@click.option("--all", "is_all", is_flag=True, help=f"Also what was done or cancelled in the last {DONE_DAYS} days.")
@click.option("--name", default="", help="Only jobs of this name.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most.")
@place_options
def list_(place: Place, name: str, limit: int, *, is_all: bool) -> None:
    """List jobs, the newest first."""

    async def load(backend: Backend) -> tuple[list[Entry], dict[str, int]]:
        states = STATES if is_all else _OPEN
        return await list_jobs(backend.engine, states, limit, name), await count_states(backend.engine, JOBS, name)

    entries, counts = _run(place, load)
    if entries:
        for line in table([_HEADS, *(_cells(entry) for entry in entries)]):
            click.echo(line)
        click.echo("")
    click.echo(_sum_up(counts))


@command.command()
@click.argument("job_id", metavar="ID")
@place_options
def show(job_id: str, place: Place) -> None:
    """Show one job, with what it is called with and what came of it."""
    entry = _run(place, lambda backend: load_job(backend.engine, job_id))
    facts = [
        ("ID", entry.id),
        ("Job", entry.name),
        ("With", entry.arguments),
        ("State", entry.state),
        ("Tries", f"{entry.attempts} of {entry.tries}"),
        ("Done", f"{entry.progress:.0%}"),
        ("Created", entry.created),
        ("Changed", entry.updated),
        ("Note", entry.note or "-"),
    ]
    for name, value in facts:
        click.echo(f"{name:<9}{value}")


@command.command("run")
@click.argument("name")
@click.option("--with", "arguments", metavar="JSON", default="{}", help='What it is called with, as {"order": "x"}.')
@place_options
def run_(name: str, arguments: str, place: Place) -> None:
    """Have a job or cron done now, by the server that runs on these data."""
    values = _parse(arguments)

    async def put(backend: Backend) -> str:
        wanted = order(Job(name, print), values)
        await backend.engine.write(lambda tx: enqueue(tx, backend.engine.dialect, wanted))
        return wanted.id

    click.echo(f"Job {_run(place, put)} of {name!r} is done {_SOON}.")


@command.command("retry")
@click.argument("job_id", metavar="[ID]", required=False, default="")
@click.option("--all", "is_all", is_flag=True, help="All jobs that failed, or were given up.")
@place_options
def retry_(job_id: str, place: Place, *, is_all: bool) -> None:
    """Try a job again at once, or --all of them."""
    if bool(job_id) == is_all:
        raise click.UsageError("Name one job, or say --all.")
    count = _run(place, lambda backend: retry_jobs(backend.engine, job_id))
    what = "1 job is" if count == 1 else f"{count} jobs are"
    click.echo(f"{what} tried again {_SOON}." if count else "There is nothing to try again.")


@command.command()
@click.argument("job_id", metavar="ID")
@place_options
def cancel(job_id: str, place: Place) -> None:
    """Have a job done no more; one that is being done is stopped within seconds."""
    _run(place, lambda backend: cancel_job(backend.engine, job_id))
    click.echo(f"Job {job_id} is cancelled.")


def _parse(text: str) -> dict[str, object]:
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise click.BadParameter(f"It must be a JSON object: {error}.", param_hint="--with") from error


def _run(place: Place, work: Callable[[Backend], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_data(place) as backend:
            return await work(backend)

    return asyncio.run(run())


def _cells(entry: Entry) -> tuple[str, ...]:
    note = entry.note if len(entry.note) <= 60 else f"{entry.note[:59]}…"
    tries = f"{entry.attempts}/{entry.tries}"
    return entry.id, entry.name, entry.state, tries, entry.created[:19], note or "-"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _sum_up(counts: dict[str, int]) -> str:
    waiting, running = counts.get("waiting", 0), counts.get("running", 0)
    dead, done = counts.get("dead", 0), counts.get("done", 0)
    if not (waiting or running or dead):
        return f"No job waits, and none was given up. Done in the last {DONE_DAYS} days: {done}."
    given_up = f"Given up in the last {DEAD_DAYS} days: {dead}"
    return f"Waiting: {waiting}. Running: {running}. {given_up}. Done in the last {DONE_DAYS} days: {done}."
