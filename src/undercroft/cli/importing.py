"""`undercroft import`: rows of a file become records."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from undercroft.backend import Backend
from undercroft.cli.data import Place, find_collection, open_data, place_options, system_access
from undercroft.records.mapping import make_mapping
from undercroft.records.sources import Format, guess_format, read_rows
from undercroft.records.transfer import Importer, Rejected
from undercroft.records.judge import refuse_view

_PEEK = 1 << 16


@dataclass(frozen=True)
class Order:
    """What is to be imported, from where, and how."""

    collection: str
    file: Path
    place: Place
    format: Format | None
    delimiter: str
    mapping: Sequence[str]
    is_dry: bool
    is_lenient: bool
    rejects: Path


@dataclass
class Outcome:
    """What became of the rows."""

    read: int = 0
    rejected: int = 0

    @property
    def imported(self) -> int:
        return self.read - self.rejected


@click.command()
@click.argument("collection")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@place_options
@click.option(
    "--format", "kind", type=click.Choice(["csv", "json", "jsonl"]), help="What the file is, if its name does not say."
)
@click.option(
    "--delimiter", default="", metavar="SIGN", help="What stands between CSV values [default: found in the first line]."
)
@click.option(
    "--map", "mapping", multiple=True, metavar="SOURCE=FIELD", help="Where a column goes; may be given many times."
)
@click.option("--id", "identity", metavar="SOURCE", help="The column that becomes the record id.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Check every row, store none.")
@click.option("--lenient", "is_lenient", is_flag=True, help="Take what makes no sense as empty, as the API does.")
@click.option(
    "--rejects",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where bad rows go [default: FILE.rejected.jsonl].",
)
def command(  # noqa: PLR0917 - one parameter an option, called by click only
    collection: str,
    file: Path,
    place: Place,
    kind: Format | None,
    delimiter: str,
    mapping: tuple[str, ...],
    identity: str | None,
    is_dry: bool,
    is_lenient: bool,
    rejects: Path | None,
) -> None:
    """Import the rows of FILE (- for standard input) into COLLECTION.

    Reads CSV, JSON, JSON Lines, and the extended JSON of MongoDB's export tool. A
    column goes to the field of its name; --map says otherwise. Every row passes the
    checks of the API; a bad one is put into a file of its own with the reason. Works
    while a server runs. Exits with 1 when rows were rejected.

    \b
    Examples:
      undercroft import posts posts.csv
      undercroft import posts export.json --map _id=legacy_id --map meta.title=title
      undercroft import cities cities.csv --map lat=place.lat --map country=country.iso
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    wishes = [*mapping, *([f"{identity}=id"] if identity else [])]
    target = rejects or Path(f"{collection if str(file) == '-' else file}.rejected.jsonl")
    order = Order(collection, file, place, kind, delimiter, wishes, is_dry, is_lenient, target)
    outcome = asyncio.run(run_import(order))
    sys.exit(1 if outcome.rejected else 0)


async def run_import(order: Order) -> Outcome:
    """Import a file and print what became of its rows. Raises a `Problem` when it cannot begin."""
    async with open_data(order.place) as backend:
        importer = _importer(backend, order)
        began = time.perf_counter()
        with _open(order.file) as stream:
            outcome = await _import(importer, stream, order)
        _report(order, outcome, importer, time.perf_counter() - began)
    return outcome


def _importer(backend: Backend, order: Order) -> Importer:
    collection = find_collection(backend, order.collection)
    refuse_view(collection)
    mapping = make_mapping(backend.catalog, collection, order.mapping)
    access = system_access(backend)
    return Importer(backend.engine, access, backend.filing, backend.passwords, mapping, order.is_lenient, order.is_dry)


async def _import(importer: Importer, stream: io.BufferedReader[Any], order: Order) -> Outcome:
    kind = order.format or guess_format(order.file.name, stream.peek(_PEEK))
    rows = read_rows(stream, kind, order.delimiter)
    outcome, rejects = Outcome(), _Rejects(order.rejects)
    with _progress() as progress, rejects:
        task = progress.add_task(order.collection, total=_size(order.file), rows="0")
        async for batch in importer.run(rows):
            rejects.write(batch.rejected)
            outcome.read += batch.read
            outcome.rejected += len(batch.rejected)
            _advance(progress, task, stream, outcome)
    return outcome


@contextmanager
def _open(file: Path) -> Iterator[io.BufferedReader[Any]]:
    """The file, or standard input, which stays open."""
    if str(file) == "-":
        piped: Any = sys.stdin.buffer
        yield piped if isinstance(piped, io.BufferedReader) else io.BufferedReader(piped)
        return
    try:
        raw = io.FileIO(file)
    except OSError as error:
        raise click.FileError(str(file), error.strerror) from error
    with io.BufferedReader(raw, _PEEK) as stream:
        yield stream


def _size(file: Path) -> int | None:
    return None if str(file) == "-" else file.stat().st_size


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), "{task.fields[rows]} rows", TimeRemainingColumn())
    parts = [TextColumn(part) if isinstance(part, str) else part for part in columns]
    return Progress(*parts, console=console, disable=not console.is_terminal, transient=True)


def _advance(progress: Progress, task: TaskID, stream: io.BufferedReader[Any], outcome: Outcome) -> None:
    raw = stream.raw
    done = raw.tell() if raw.seekable() else None
    progress.update(task, completed=done, rows=f"{outcome.read:,}")


class _Rejects:
    """The file of bad rows; made with the first of them. One of an earlier run is removed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> None:
        self.path.unlink(missing_ok=True)

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def write(self, rejected: Sequence[Rejected]) -> None:
        if rejected and self._file is None:
            self._file = self.path.open("wb")
        for row in rejected:
            if self._file:
                self._file.write(msgspec.json.encode(row) + b"\n")


def _report(order: Order, outcome: Outcome, importer: Importer, seconds: float) -> None:
    done = "would be imported" if order.is_dry else "imported"
    rate = f", {outcome.read / seconds:,.0f} rows/s" if seconds > 1 else ""
    click.echo(f"{outcome.read:,} rows read{rate}: {outcome.imported:,} {done}, {outcome.rejected:,} rejected.")
    if importer.mapping.unused:
        names = ", ".join(name for name, _ in importer.mapping.unused.most_common(20))
        click.echo(f"Columns that no field takes: {names}")
    if outcome.rejected:
        click.echo(f"The rejected rows and their reasons are in {order.rejects}")
