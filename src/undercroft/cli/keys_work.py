"""`undercroft keys work`: values of encrypted fields that are coming along, how far that is, and pausing it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from undercroft.api.encryption import show_work
from undercroft.cli.data import Place
from undercroft.cli.jobs import table
from undercroft.cli.keys_place import actor, keys_place, open_rows
from undercroft.collections.pieces import PieceKind
from undercroft.collections.session import read_catalog
from undercroft.database.engine import Engine
from undercroft.keys.holders import list_holders
from undercroft.records.resealings import Move, limit_resealing, list_resealings, move_resealing

_LOOK_SECONDS: Final = 0.5
_SAY_SECONDS: Final = 10.0
_HEADS: Final = ("ID", "FIELD", "WORK", "STATE", "DONE", "ROWS/S", "LEFT", "NOTE")
_WORK: Final[Mapping[PieceKind, str]] = {
    "seal": "encrypt values",
    "open": "decrypt values",
    "index": "fill a new index",
    "reseal": "encrypt anew",
    "texts": "encrypt anew",
}
_OPEN: Final = ("waiting", "running")
_NOBODY: Final = "No server runs on these data: the work goes on as soon as one does."
Work = dict[str, Any]


@click.group(invoke_without_command=True)
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@click.option("--watch", "is_watched", is_flag=True, help="Show a bar for each until all is done; 1 if one failed.")
@keys_place
@click.pass_context
def work(context: click.Context, place: Place, *, is_json: bool, is_watched: bool) -> None:
    """Show values of encrypted fields that come along: after a field was encrypted or decrypted, or a key turned.

    A server does the work while it serves. Needs no root key.

    \b
    Examples:
      undercroft keys work --watch
      undercroft keys work pause k3x0q8w1z5m7c2v
      undercroft keys work limit k3x0q8w1z5m7c2v 500
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    if context.invoked_subcommand is not None:
        return
    if is_watched:
        sys.exit(asyncio.run(_watch(place)))
    rows, is_served = asyncio.run(_load(place))
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
        return
    for line in _lines(rows, is_served=is_served):
        click.echo(line)


@work.command()
@click.argument("work_id", metavar="ID")
@keys_place
def pause(work_id: str, place: Place) -> None:
    """Let values be until `resume`: those that came along stay, and everything reads as before."""
    asyncio.run(_move(place, work_id, "pause"))
    click.echo(f"Work {work_id} is paused. `undercroft keys work resume {work_id}` goes on with it.")


@work.command()
@click.argument("work_id", metavar="ID")
@keys_place
def resume(work_id: str, place: Place) -> None:
    """Go on with work that was paused, or that failed, once what stood against it is put right."""
    asyncio.run(_move(place, work_id, "resume"))
    click.echo(f"Work {work_id} goes on.")


@work.command()
@click.argument("work_id", metavar="ID")
@click.argument("rows_per_second", metavar="ROWS", type=click.FloatRange(min=0))
@keys_place
def limit(work_id: str, rows_per_second: float, place: Place) -> None:
    """Take no more than so many ROWS a second; 0 takes as many as writers leave time for."""

    async def change(engine: Engine) -> None:
        await engine.write(lambda tx: limit_resealing(tx, engine.dialect, work_id, rows_per_second))

    asyncio.run(_with_rows(place, change))
    what = f"at most {rows_per_second:g} rows a second" if rows_per_second else "as many rows as writers leave time for"
    click.echo(f"Work {work_id} takes {what}.")


async def _with_rows(place: Place, change: Callable[[Engine], Awaitable[None]]) -> None:
    async with open_rows(place) as engine:
        await change(engine)


async def _move(place: Place, work_id: str, move: Move) -> None:
    async def change(engine: Engine) -> None:
        await engine.write(lambda tx: move_resealing(tx, engine.dialect, work_id, move, actor()))

    await _with_rows(place, change)


async def _load(place: Place) -> tuple[list[Work], bool]:
    async with open_rows(place) as engine:
        return await _look(engine), bool(await list_holders(engine))


async def _look(engine: Engine) -> list[Work]:
    catalog = await read_catalog(engine.read, engine.dialect)
    return [show_work(row, catalog) for row in await list_resealings(engine.read)]


async def _watch(place: Place) -> int:
    """Show how far all is until nothing is left to do; the exit code."""
    async with open_rows(place) as engine:
        seen = await _look(engine)
        begun = {row["id"] for row in seen if row["state"] in _OPEN}
        if not begun:
            click.echo("\n".join(_lines(seen, is_served=True)))
            return _code(seen)
        if not await list_holders(engine):
            click.echo(_NOBODY, err=True)
        with _Bars() as bars:
            while any(row["state"] in _OPEN for row in seen):
                bars.show(row for row in seen if row["id"] in begun)
                await asyncio.sleep(_LOOK_SECONDS)
                seen = await _look(engine)
                begun |= {row["id"] for row in seen if row["state"] in _OPEN}
    ended = [row for row in seen if row["id"] in begun]
    for row in ended:
        note = f": {_note(row)}" if row["error"] else "."
        click.echo(f"{_field(row)}: {_WORK[row['kind']]}: {row['state']}, {row['done']:,} rows{note}")
    return _code(ended)


def _code(rows: Iterable[Work]) -> int:
    return 1 if any(row["state"] == "failed" for row in rows) else 0


class _Bars:
    """A bar for each piece of work on a terminal, a line for each now and then elsewhere."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._is_shown = console.is_terminal
        rate = TextColumn("{task.fields[rate]:,} rows/s")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, disable=not self._is_shown, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._looks = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def show(self, rows: Iterable[Work]) -> None:
        """This is how far they are."""
        is_said = self._looks % int(_SAY_SECONDS / _LOOK_SECONDS) == 0
        self._looks += 1
        for row in rows:
            told = f"{_field(row)}: {_WORK[row['kind']]}"
            if row["id"] not in self._tasks:
                self._tasks[row["id"]] = self._progress.add_task(told, rate=0)
            self._progress.update(
                self._tasks[row["id"]],
                description=told if row["state"] == "running" else f"{told} ({row['state']})",
                total=row["total"] or None,
                completed=row["done"],
                rate=row["rowsPerSecond"],
            )
            if is_said and not self._is_shown and row["state"] in _OPEN:
                click.echo(f"{told}: {row['state']}, {_done(row)}", err=True)


def _lines(rows: Sequence[Work], *, is_served: bool) -> list[str]:
    if not rows:
        return ["Nothing comes along: every encrypted field is as its definition says, under its newest key."]
    cells = [
        (
            *(row["id"], _field(row), _WORK[row["kind"]], row["state"], _done(row)),
            *(str(row["rowsPerSecond"] or "-"), _left(row), _note(row) or "-"),
        )
        for row in rows
    ]
    waits = any(row["state"] in _OPEN for row in rows) and not is_served
    return [*table([_HEADS, *cells]), *(["", _NOBODY] if waits else [])]


def _field(row: Work) -> str:
    if row["kind"] == "texts":
        return "the server's own secrets"
    return f"{row['collectionName'] or row['collectionId']}/{row['fieldName'] or row['fieldId']}"


def _done(row: Work) -> str:
    return f"{row['done']:,} of {row['total']:,}"


def _left(row: Work) -> str:
    return "-" if row["secondsLeft"] is None else f"{row['secondsLeft']:,} s"


def _note(row: Work) -> str:
    error = row["error"]
    if not error:
        return "overwriting what was there" if row["step"] == "scrub" and row["state"] in _OPEN else ""
    about = ", ".join(" = ".join(group) for group in error.get("records", ()))
    return f"{error['code']}: {error['message']}{f' Records: {about}.' if about else ''}"
