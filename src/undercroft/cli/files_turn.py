"""`undercroft files encrypt` and `decrypt`: have stored files be as their fields want them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import click

from undercroft.backend import Backend
from undercroft.cli.data import NoData, Place, find_collection, open_data, place_options
from undercroft.cli.files_progress import FilesProgress
from undercroft.collections.collection import Collection
from undercroft.collections.fields.file import FileField
from undercroft.errors import did_you_mean
from undercroft.files.ledger import abandon_due
from undercroft.records.file_turning import GRACE_SECONDS, Turned, Turner

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Order:
    """Which files are to turn, and to what."""

    collection: str
    field: str
    is_encrypting: bool


@click.command()
@click.argument("collection")
@place_options
@click.option("--field", metavar="NAME", default="", help="Only the files of this field.")
def encrypt(collection: str, place: Place, field: str) -> None:
    """Encrypt the files of COLLECTION that were stored before its fields had "encrypted".

    A running server does that by itself; this does it now, with a bar, whether one runs
    or not. Records, names and addresses stay as they are, and files can be read all the
    while. After kill -9 give the same command again. Exits with 1 if some could not be.

    \b
    Examples:
      undercroft files encrypt claims
      undercroft files encrypt claims --field report
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    sys.exit(0 if asyncio.run(run_turn(place, Order(collection, field, is_encrypting=True))) else 1)


@click.command()
@click.argument("collection")
@place_options
@click.option("--field", metavar="NAME", default="", help="Only the files of this field.")
def decrypt(collection: str, place: Place, field: str) -> None:
    """Decrypt the files of COLLECTION whose fields have no "encrypted" any more.

    A running server does that by itself; this does it now, with a bar, whether one runs
    or not. After kill -9 give the same command again. Exits with 1 if some could not be.

    \b
    Example:
      undercroft files decrypt claims
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    sys.exit(0 if asyncio.run(run_turn(place, Order(collection, field, is_encrypting=False))) else 1)


async def run_turn(place: Place, order: Order) -> bool:
    """Turn files; whether all of them are as they should be then. Raises `NoData`."""
    async with open_data(place) as backend:
        collection = find_collection(backend, order.collection)
        fields = _fields(collection, order)
        turner = Turner(backend.engine, backend.files, backend.staging, collection, fields)
        with FilesProgress(collection.name) as watcher:
            turned = await turner.run(watcher)
        if turned.files:
            await _clear_away(backend)
    _report(turned, order)
    return turned.is_complete


async def _clear_away(backend: Backend) -> None:
    """Delete what does not count any more, once nobody can still be reading it."""
    await asyncio.sleep(GRACE_SECONDS + 0.5)
    await backend.engine.write(lambda tx: abandon_due(tx, backend.engine.dialect))
    await backend.filing.clear()


def _fields(collection: Collection, order: Order) -> Sequence[FileField]:
    """The fields whose files are to turn. Raises `NoData` when there are none."""
    named = [each for each in collection.file_fields if order.field in ("", each.name)]
    if not named:
        known = [each.name for each in collection.file_fields]
        raise NoData(f"No file field {order.field!r} in {collection.name!r}." + did_you_mean(order.field, known))
    fields = [each for each in named if each.is_encrypted == order.is_encrypting]
    if not fields:
        wish = 'have "encrypted": set it first' if order.is_encrypting else 'be without "encrypted": take it away first'
        raise NoData(f"Of {collection.name!r} no such file field is to {wish}.")
    return fields


def _report(turned: Turned, order: Order) -> None:
    deed = "encrypted" if order.is_encrypting else "decrypted"
    click.echo(f"{turned.files:,} files with {turned.size:,} bytes were {deed}.")
    for key, reason in list(turned.failed.items())[:_SHOWN]:
        click.echo(f"Not {deed}: {key}: {reason}")
    if turned.later:
        click.echo(f"{turned.later:,} files are just changing. Give the same command again.")
