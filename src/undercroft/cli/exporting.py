"""`undercroft export`: records become a file."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import Progress

from undercroft.backend import Backend
from undercroft.cli.data import Place, find_collection, open_data, place_options
from undercroft.cli.parcels import SUFFIX, Wish, encrypt_options
from undercroft.collections.collection import Collection
from undercroft.keys.parcel_streams import ParcelWriter
from undercroft.records.access import Access
from undercroft.records.export import export_pages, exported_fields
from undercroft.records.sources import Format
from undercroft.records.targets import TARGETS, Target


@dataclass(frozen=True)
class Order:
    """What is to be exported, where to, and how."""

    collection: str
    file: Path | None
    place: Place
    format: Format | None
    filter: str
    is_raw: bool
    wish: Wish


@click.command()
@click.argument("collection")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@place_options
@encrypt_options
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "json", "jsonl"]),
    help="What to write [default: by the file's name, else csv].",
)
@click.option("--filter", "text", default="", help="Only records that match, in the filter language of the API.")
@click.option(
    "--raw", "is_raw", is_flag=True, help="Leave CSV texts as they are, even those a spreadsheet would run as formulas."
)
def command(  # noqa: PLR0917 - one parameter an option, called by click only
    collection: str, file: Path | None, place: Place, wish: Wish, kind: Format | None, text: str, is_raw: bool
) -> None:
    """Export the records of COLLECTION to FILE, or to standard output.

    Hidden fields are included; passwords and what signs tokens never are. Works while
    a server runs. What `undercroft import` reads back is what was exported. With
    --encrypt, --recipient or a passphrase nothing of it is on a disk in clear.

    \b
    Examples:
      undercroft export posts posts.csv
      undercroft export posts --format jsonl --filter 'views > 100'
      undercroft export posts posts.csv.sealed --encrypt
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    count = asyncio.run(run_export(Order(collection, file, place, kind, text, is_raw, wish)))
    if file:
        click.echo(f"{count:,} records exported to {file}")


async def run_export(order: Order) -> int:
    """Export a collection; how many records. A file is there when it is complete, and not before."""
    async with open_data(order.place) as backend:
        if order.file is None:
            return await _write(backend, order, sys.stdout.buffer)
        partial = order.file.with_name(f"{order.file.name}.partial")
        try:
            with partial.open("wb") as stream:
                count = await _write(backend, order, stream)
            partial.replace(order.file)
        finally:
            with suppress(FileNotFoundError):
                partial.unlink()
    return count


def _target(collection: Collection, kind: Format, order: Order) -> Target:
    json_names = [field.name for field in collection.fields if field.type == "json"]
    return TARGETS[kind](exported_fields(collection), json_names, is_guarded=not order.is_raw)


def _kind(order: Order) -> Format:
    name = order.file.name.removesuffix(SUFFIX) if order.file else ""
    by_name: dict[str, Format] = {"json": "json", "jsonl": "jsonl", "ndjson": "jsonl"}
    return order.format or by_name.get(name.rpartition(".")[2].lower(), "csv")


async def _write(backend: Backend, order: Order, stream: BinaryIO) -> int:
    """Write everything, encrypted if that is wanted; how many records."""
    collection, kind = find_collection(backend, order.collection), _kind(order)
    target = _target(collection, kind, order)
    sealer = await order.wish.sealer(backend, kind)
    if sealer is None:
        return await _write_clear(backend, collection, order, target, stream)
    writer = ParcelWriter(stream, sealer)
    count = await _write_clear(backend, collection, order, target, writer)
    writer.finish()
    return count


async def _write_clear(
    backend: Backend, collection: Collection, order: Order, target: Target, stream: BinaryIO | ParcelWriter
) -> int:
    console = Console(stderr=True)
    count = 0
    with Progress(console=console, disable=not console.is_terminal or not order.file, transient=True) as progress:
        task = progress.add_task(collection.name, total=None)
        stream.write(target.head())
        async for total, records in export_pages(Access.of_system(backend), collection, order.filter):
            stream.write(target.body(records))
            count += len(records)
            progress.update(task, completed=count, total=total)
        stream.write(target.tail())
        stream.flush()
    return count
