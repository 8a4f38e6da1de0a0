"""`undercroft move`: a whole database goes into another one."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from undercroft.cli.places import Place, open_source, open_target, parse_place
from undercroft.collections.move_plan import plan_move
from undercroft.collections.session import read_catalog
from undercroft.config import load_config
from undercroft.database.engine import Engine
from undercroft.database.formats import SYSTEM_MIGRATIONS
from undercroft.database.move import Move, check_move, run_move
from undercroft.database.move_pages import Source
from undercroft.database.move_report import Report, render_json, render_text

_REPORT: Final = Path("undercroft-move.txt")
_WEEK: Final = 7 * 24 * 3600.0


@dataclass(frozen=True)
class Order:
    """What is to be moved where, and how."""

    source: Place
    target: Place
    is_dry: bool
    report: Path | None


@dataclass
class Bar:
    """Shows how far the move is."""

    progress: Progress
    task: TaskID | None = field(default=None)

    def begin(self, stage: str, total: int) -> None:
        """A stage begins, with so many rows to go."""
        if self.task is not None:
            self.progress.remove_task(self.task)
        self.task = self.progress.add_task(stage, total=total)

    def advance(self, rows: int) -> None:
        """So many rows more are done."""
        if self.task is not None:
            self.progress.advance(self.task, rows)


@click.command()
@click.option(
    "--to", "target", metavar="URL", help="The database to fill, which must be empty [default: SQLite in --dir]."
)
@click.option("--from", "source", metavar="URL", help="The database to move [default: the one in use].")
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path, file_okay=False), help="The data directory [default: data]."
)
@click.option("--dry-run", "is_dry", is_flag=True, help="List what would not fit, and write nothing.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Where the report goes, with another as .json beside it [default: {_REPORT}; none for --dry-run].",
)
def command(target: str | None, source: str | None, directory: Path | None, is_dry: bool, report: Path | None) -> None:
    """Move everything into another database: --to one from the data directory, or --from one into it.

    A URL is postgresql://USER@HOST/NAME, sqlite:///DIR, or a directory. Ids, dates,
    password hashes, settings and tokens stay what they are; files stay where they are. First
    every value is checked, at the end both sides are compared. The source is not changed,
    and cannot be written meanwhile; stop its server first. A move that was interrupted goes on
    when the same command is given again. Exits with 1 when something does not fit.

    \b
    Examples:
      undercroft move --to postgresql://app@db.example.com/app --dry-run
      undercroft move --to postgresql://app@db.example.com/app
      undercroft move --from postgresql://app@db.example.com/app --dir data
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    order = _order(target, source, directory, is_dry=is_dry, report=report)
    outcome = asyncio.run(run_order(order))
    click.echo(render_text(outcome), nl=False)
    if outcome.is_equal:
        click.echo("Files were not moved: they stay in the folder `storage` of the data directory.")
        click.echo("Nor was the root key: servers need it there, too, to open what is encrypted.")
    file = _save(outcome, order)
    if file:
        click.echo(f"This report is kept in {file} and {file.with_suffix('.json')}.")
    sys.exit(0 if outcome.is_equal or (is_dry and not outcome.misfits) else 1)


async def run_order(order: Order) -> Report:
    """Move or check. Raises a `Problem` when it cannot begin."""
    async with (
        open_source(order.source) as source,
        open_target(order.target, is_trial=order.is_dry) as target,
        _reading(source) as reading,
        _progress() as bar,
    ):
        tables = [str(name) for (name,) in await reading.read(source.dialect.list_tables(), ())]
        catalog = await read_catalog(reading.read, source.dialect)
        move = Move(
            source=reading,
            source_name=order.source.name,
            target=target,
            target_name=order.target.name,
            limits=target.dialect.limits(),
            plan=plan_move(catalog, tables, target.dialect),
            formats=SYSTEM_MIGRATIONS,
            watcher=bar,
        )
        return await (check_move(move) if order.is_dry else run_move(move))


def _order(
    target: str | None, source: str | None, directory: Path | None, *, is_dry: bool, report: Path | None
) -> Order:
    if target is None and source is None:
        raise click.UsageError("Say where to: --to URL, or where from: --from URL.")
    flags = {"dir": str(directory)} if directory else {}
    config = load_config(Path(), flags, os.environ)
    places = [parse_place(source or config.database or config.dir), parse_place(target or config.dir)]
    if places[0].identity == places[1].identity:
        raise click.UsageError(f"{places[0].name} cannot be moved into itself.")
    return Order(places[0], places[1], is_dry, report or (None if is_dry else _REPORT))


@asynccontextmanager
async def _reading(engine: Engine) -> AsyncIterator[Source]:
    """Reads of one moment, while nobody else writes."""
    async with engine.transaction(_WEEK) as transaction:
        yield Source(transaction.run, engine.dialect)


@asynccontextmanager
async def _progress() -> AsyncIterator[Bar]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield Bar(progress)


def _save(report: Report, order: Order) -> Path | None:
    if order.report is None or not (report.is_moved or order.is_dry):
        return None
    file = order.report.with_suffix(".txt")
    file.write_text(render_text(report), encoding="utf-8")
    file.with_suffix(".json").write_text(render_json(report), encoding="utf-8")
    return file
