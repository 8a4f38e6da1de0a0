"""`undercroft import`: rows of a file become records."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, get_args

import click
import msgspec

from undercroft.backend import Backend
from undercroft.cli.data import Place, find_collection, open_data, place_options
from undercroft.cli.import_progress import ImportProgress
from undercroft.cli.parcels import Given, Source, open_options, open_source, tell
from undercroft.records.access import Access
from undercroft.records.import_files import ImportFiles
from undercroft.records.judge import refuse_view
from undercroft.records.mapping import make_mapping
from undercroft.records.sources import Format, guess_format, read_rows
from undercroft.records.transfer import Imported, Importer, Rejected

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
    files: Path | None = None
    given: Given = field(default_factory=Given)


@dataclass
class Outcome:
    """What became of the rows."""

    read: int = 0
    rejected: int = 0
    files: int = 0
    file_bytes: int = 0

    @property
    def imported(self) -> int:
        return self.read - self.rejected

    @property
    def told(self) -> str:
        """The rows that were read and the files that came with them."""
        files = f" with {self.files:,} files, {self.file_bytes / 1e6:,.1f} MB" if self.files else ""
        return f"{self.read:,} rows read{files}"

    def add(self, batch: Imported) -> None:
        """Count a batch."""
        self.read += batch.read
        self.rejected += len(batch.rejected)
        self.files += batch.files
        self.file_bytes += batch.file_bytes


@click.command()
@click.argument("collection")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@place_options
@open_options
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
@click.option(
    "--files",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="FOLDER",
    help="Where the files are that columns of file fields name by their paths.",
)
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
    given: Given,
    kind: Format | None,
    delimiter: str,
    mapping: tuple[str, ...],
    identity: str | None,
    files: Path | None,
    is_dry: bool,
    is_lenient: bool,
    rejects: Path | None,
) -> None:
    """Import the rows of FILE (- for standard input) into COLLECTION.

    Reads CSV, JSON, JSON Lines, and the extended JSON of MongoDB's export tool. A
    column goes to the field of its name; --map says otherwise. Every row passes the
    checks of the API; a bad one is put into a file of its own with the reason. Works
    while a server runs. Exits with 1 when rows were rejected. With --files a column of
    a file field holds paths below that folder: one, or a JSON list of them. An
    encrypted file is seen to be whole before the first row is stored.

    \b
    Examples:
      undercroft import posts posts.csv
      undercroft import posts export.json --map _id=legacy_id --map meta.title=title
      undercroft import cities cities.csv --map lat=place.lat --map country=country.iso
      undercroft import books books.csv --files covers --map image=cover
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    wishes = [*mapping, *([f"{identity}=id"] if identity else [])]
    target = rejects or Path(f"{collection if str(file) == '-' else file}.rejected.jsonl")
    order = Order(collection, file, place, kind, delimiter, wishes, is_dry, is_lenient, target, files, given)
    outcome = asyncio.run(run_import(order))
    sys.exit(1 if outcome.rejected else 0)


async def run_import(order: Order) -> Outcome:
    """Import a file and print what became of its rows. Raises a `Problem` when it cannot begin."""
    async with open_data(order.place) as backend:
        importer = _importer(backend, order)
        began = time.perf_counter()
        async with open_source(order.file, order.given, backend.keyring) as source:
            outcome = await _import(importer, source, order)
        _report(order, outcome, importer, time.perf_counter() - began)
    return outcome


def _importer(backend: Backend, order: Order) -> Importer:
    collection = find_collection(backend, order.collection)
    refuse_view(collection)
    mapping = make_mapping(backend.catalog, collection, order.mapping, takes_files=order.files is not None)
    return Importer(
        backend.engine,
        Access.of_system(backend),
        backend.filing,
        backend.passwords,
        mapping,
        is_lenient=order.is_lenient,
        is_dry=order.is_dry,
        files=ImportFiles(order.files, backend.staging) if order.files else None,
    )


async def _import(importer: Importer, source: Source, order: Order) -> Outcome:
    outcome, rejects = Outcome(), _Rejects(order.rejects)
    with source.open() as stream:
        kind = _kind(order, source, stream)
        total = _total(order, source, kind)
        with ImportProgress(order.collection, total) as progress, rejects:
            async for batch in importer.run(read_rows(stream, kind, order.delimiter)):
                rejects.write(batch.rejected)
                outcome.add(batch)
                progress.advance(outcome.read if order.files is not None else tell(stream), outcome.told)
    return outcome


def _kind(order: Order, source: Source, stream: BufferedReader[Any]) -> Format:
    """What the file is: as somebody says, as it says itself, or as it looks."""
    said = next((kind for kind in get_args(Format) if kind == source.content), None)
    return order.format or said or guess_format(order.file.name, stream.peek(_PEEK))


def _total(order: Order, source: Source, kind: Format) -> int | None:
    """What is to be done: bytes of the file, or its rows where the time goes into files that they name."""
    if source.pipe is not None or order.files is None:
        return source.size
    with source.open() as stream:
        return sum(1 for _ in read_rows(stream, kind, order.delimiter))


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
    click.echo(f"{outcome.told}{rate}: {outcome.imported:,} {done}, {outcome.rejected:,} rejected.")
    if importer.mapping.unused:
        names = ", ".join(name for name, _ in importer.mapping.unused.most_common(20))
        click.echo(f"Columns that no field takes: {names}")
    if outcome.rejected:
        click.echo(f"The rejected rows and their reasons are in {order.rejects}")
