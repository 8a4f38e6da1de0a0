"""`undercroft files move`: all uploaded files go into another store."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from undercroft.backend import Backend
from undercroft.cli.data import Place, open_data, place_options
from undercroft.cli.files_progress import FilesProgress
from undercroft.config import LOCAL_FILES, BadConfig
from undercroft.errors import Problem
from undercroft.files.choose import FOLDER, open_bucket
from undercroft.files.local import STAGING, LocalFiles
from undercroft.files.moving import Moved, Road, copy_all, delete_copied
from undercroft.files.s3_bucket import SCHEME, Bucket, parse_bucket
from undercroft.files.store import FileStore
from undercroft.settings.storage import find_bucket

_SHOWN: Final = 20


class StillInUse(Problem):
    """Files are to be deleted from the store that the server uses."""

    code = "files_still_in_use"


@dataclass(frozen=True, slots=True)
class Spot:
    """A store: what people call it, and what is equal for two ways to name one."""

    name: str
    identity: tuple[str, ...]
    bucket: Bucket | None = None
    folder: Path = Path()

    def open(self) -> FileStore:
        """The store. Raises `MissingS3`."""
        return open_bucket(self.bucket) if self.bucket else LocalFiles(self.folder)


@click.command()
@click.option("--to", "target", required=True, metavar="URL", help="The store to fill: s3://BUCKET/PREFIX, or `local`.")
@click.option("--from", "source", metavar="URL", help="The store to copy from [default: the one in use].")
@place_options
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="How many files go at once.")
@click.option(
    "--delete-source", "is_deleting", is_flag=True, help="Then delete what was copied; only once it is unused."
)
def command(target: str, source: str | None, place: Place, *, jobs: int, is_deleting: bool) -> None:
    """Copy all uploaded files into a bucket, or out of one, and compare both sides.

    Each file is sent with its MD5 and checked where it arrives. What is there already is
    not sent again, so that a command that was interrupted goes on where it was. The
    server may run meanwhile. Nothing is deleted without --delete-source, and only
    when the server uses the new store already. Keys come from UNDERCROFT_S3_ACCESS_KEY
    and UNDERCROFT_S3_SECRET. Exits with 1 when something could not be copied.

    \b
    Examples:
      undercroft files move --to s3://my-bucket/app
      undercroft files move --to "s3://files?endpoint=https://minio.example.com"
      undercroft files move --from s3://my-bucket/app --to local --dir data
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    is_whole = asyncio.run(run_move(Order(target, source, place, jobs, is_deleting)))
    sys.exit(0 if is_whole else 1)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be copied where, and how."""

    target: str
    source: str | None
    place: Place
    jobs: int
    is_deleting: bool


async def run_move(order: Order) -> bool:
    """Copy, compare, tell; whether the target has everything. Raises a `Problem` when it cannot begin."""
    async with open_data(order.place) as backend:
        target = _spot(order.target, backend.directory)
        in_use = _spot_in_use(backend, order.place)
        source = _source(order, in_use, target, backend.directory)
        if order.is_deleting and in_use.identity != target.identity:
            raise StillInUse(_in_use(in_use, order.target))
        async with _road(source, target, order.jobs, backend.directory) as road:
            began = time.monotonic()
            with FilesProgress(f"to {target.name}") as watcher:
                moved = await copy_all(road, watcher)
            _report(moved, source, target, time.monotonic() - began)
            if not moved.is_whole:
                return False
            if order.is_deleting:
                with FilesProgress(f"out of {source.name}") as watcher:
                    watcher.begin(moved.files, moved.size)
                    count = await delete_copied(road, watcher)
                click.echo(f"{count:,} files were deleted from {source.name}.")
            else:
                click.echo(_next_steps(in_use, target, order.target))
    return True


@asynccontextmanager
async def _road(source: Spot, target: Spot, jobs: int, directory: Path) -> AsyncIterator[Road]:
    # A local store takes what lies there without copying it once more.
    road = Road(source.open(), target.open(), directory / FOLDER / STAGING, jobs)
    try:
        yield road
    finally:
        await road.source.close()
        await road.target.close()


def _source(order: Order, in_use: Spot, target: Spot, directory: Path) -> Spot:
    """Where files come from: as asked, else the store in use, else the folder that was in use before."""
    if order.source is not None:
        source = _spot(order.source, directory)
    else:
        source = in_use if in_use.identity != target.identity else _spot(LOCAL_FILES, directory)
    if source.identity == target.identity:
        raise click.UsageError(f"The files are in {target.name} already: say where others are, with --from.")
    return source


def _spot(text: str, directory: Path) -> Spot:
    if text == LOCAL_FILES:
        folder = directory / FOLDER
        return Spot(str(folder), (str(folder.resolve()),), folder=folder)
    if not text.startswith(SCHEME):
        raise BadConfig(f"Files cannot be in {text[:80]!r}: write s3://BUCKET/PREFIX, or {LOCAL_FILES}.")
    return _bucket_spot(parse_bucket(text, os.environ))


def _bucket_spot(bucket: Bucket) -> Spot:
    return Spot(bucket.url, bucket.identity, bucket)


def _spot_in_use(backend: Backend, place: Place) -> Spot:
    option = place.config().files
    if option:
        return _spot(option, backend.directory)
    bucket = find_bucket(backend.settings.s3)
    return _bucket_spot(bucket) if bucket else _spot(LOCAL_FILES, backend.directory)


def _report(moved: Moved, source: Spot, target: Spot, seconds: float) -> None:
    rate = f" ({moved.copied_size / seconds / 1e6:,.1f} MB/s)" if seconds > 1 else ""
    click.echo(f"{moved.copied:,} files with {moved.copied_size:,} bytes were copied in {seconds:,.1f} s{rate}.")
    for key, reason in list(moved.failed.items())[:_SHOWN]:
        click.echo(f"Not copied: {key}: {reason}")
    for key in [key for key in moved.missing if key not in moved.failed][:_SHOWN]:
        click.echo(f"Not there: {key}")
    if moved.is_whole:
        click.echo(
            f"All {moved.files:,} files with {moved.size:,} bytes of {source.name} are in {target.name}, "
            "each with the same MD5."
        )
    else:
        click.echo("Not everything is there. Give the same command again: what is there is not sent twice.")
    if moved.extra:
        click.echo(f"{moved.extra:,} files in {target.name} are not in {source.name}; `undercroft files check` looks.")


def _next_steps(in_use: Spot, target: Spot, option: str) -> str:
    if in_use.identity == target.identity:
        return "Nothing was deleted. To delete the old files, give the same command again with --delete-source."
    return (
        "Nothing was deleted, and the server goes on with the old files. To use the new ones:\n"
        f"  1. set UNDERCROFT_FILES='{option}', or `files` in undercroft.toml, and start the server again;\n"
        "  2. give the same command again, which copies what came meanwhile;\n"
        "  3. and once more with --delete-source, when you no longer want the old ones."
    )


def _in_use(spot: Spot, option: str) -> str:
    return (
        f"The server uses the files in {spot.name}, so none are deleted there. First set UNDERCROFT_FILES='{option}' "
        "and start the server again."
    )
