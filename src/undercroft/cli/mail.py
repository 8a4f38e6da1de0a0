"""`undercroft mail`: what waits to be sent, what was given up, and trying it again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import click

from undercroft.backend import Backend
from undercroft.cli.data import Place, open_data, place_options
from undercroft.database.queue_keeping import count_states
from undercroft.mail.keeping import Entry, list_entries, load_entry, retry
from undercroft.mail.outbox import LETTERS, SENT_DAYS

_OPEN: Final = ("waiting", "sending", "dead")
_ALL: Final = (*_OPEN, "sent")
_HEADS: Final = ("ID", "STATE", "TRIES", "CREATED", "TO", "ABOUT", "NOTE")
T = TypeVar("T")


@click.group()
def command() -> None:
    """Show letters that wait or were given up, and try them again.

    \b
    Examples:
      undercroft mail list
      undercroft mail show k3x0q8w1z5m7c2v
      undercroft mail retry --all
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines


@command.command("list")
@click.option("--all", "is_all", is_flag=True, help=f"Also those that were sent in the last {SENT_DAYS} days.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most.")
@place_options
def list_(place: Place, limit: int, *, is_all: bool) -> None:
    """List letters, the newest first."""

    async def load(backend: Backend) -> tuple[list[Entry], dict[str, int]]:
        states = _ALL if is_all else _OPEN
        return await list_entries(backend.engine, states, limit), await count_states(backend.engine, LETTERS)

    entries, counts = _run(place, load)
    if entries:
        for line in _table([_HEADS, *(_cells(entry) for entry in entries)]):
            click.echo(line)
        click.echo("")
    click.echo(_sum_up(counts))


@command.command()
@click.argument("letter_id", metavar="ID")
@click.option("--message", "has_message", is_flag=True, help="Print the message as it is sent, secrets and all.")
@place_options
def show(letter_id: str, place: Place, *, has_message: bool) -> None:
    """Show what became of one letter."""
    entry, content = _run(place, lambda backend: load_entry(backend.engine, letter_id))
    if has_message:
        click.echo(content or "The message is not kept, for the letter was sent.")
        return
    facts = [
        ("ID", entry.id),
        ("State", entry.state),
        ("About", entry.kind or "-"),
        ("From", entry.sender),
        ("To", entry.recipient),
        ("Tries", str(entry.attempts)),
        ("Created", entry.created),
        ("Changed", entry.updated),
        ("Note", entry.note or "-"),
    ]
    for name, value in facts:
        click.echo(f"{name:<9}{value}")


@command.command("retry")
@click.argument("letter_id", metavar="[ID]", required=False, default="")
@click.option("--all", "is_all", is_flag=True, help="All letters that wait or were given up.")
@place_options
def retry_(letter_id: str, place: Place, *, is_all: bool) -> None:
    """Try a letter again at once, or --all of them."""
    if bool(letter_id) == is_all:
        raise click.UsageError("Name one letter, or say --all.")
    count = _run(place, lambda backend: retry(backend.engine, letter_id))
    what = f"{count} letter is" if count == 1 else f"{count} letters are"
    click.echo(f"{what} tried again as soon as a server runs on these data." if count else "There is nothing to try.")


def _run(place: Place, work: Callable[[Backend], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_data(place) as backend:
            return await work(backend)

    return asyncio.run(run())


def _cells(entry: Entry) -> tuple[str, ...]:
    note = entry.note if len(entry.note) <= 60 else f"{entry.note[:59]}…"
    return (
        entry.id,
        entry.state,
        str(entry.attempts),
        entry.created[:19],
        entry.recipient,
        entry.kind or "-",
        note or "-",
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _sum_up(counts: dict[str, int]) -> str:
    waiting = counts.get("waiting", 0) + counts.get("sending", 0)
    dead, sent = counts.get("dead", 0), counts.get("sent", 0)
    if not (waiting or dead):
        return f"No letter waits, and none was given up. Sent in the last {SENT_DAYS} days: {sent}."
    return f"Waiting: {waiting}. Given up: {dead}. Sent in the last {SENT_DAYS} days: {sent}."
