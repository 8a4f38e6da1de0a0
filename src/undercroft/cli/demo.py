"""`undercroft demo`: a small site to look at, or 34,000 cities to ask about."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import click
import msgspec

from undercroft.app import close_backend, open_backend
from undercroft.auth.superusers import upsert_superuser
from undercroft.cli.data import Place
from undercroft.cli.importing import Order, run_import
from undercroft.cli.serve import serve
from undercroft.config import Config, load_config, parse_address
from undercroft.demo import cities_data, glossary_data
from undercroft.demo.planting import plant_collections
from undercroft.errors import Problem

SUPERUSER: Final = "demo@example.com"
_NOTE: Final = "demo.json"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
Kind = Literal["glossary", "cities"]


class OtherData(Problem):
    """The folder of the demo holds something else."""

    code = "other_data"


class Note(msgspec.Struct, frozen=True):
    """What is kept of a demo that was set up: which it is, and the password of its accounts."""

    kind: Kind
    password: str


@click.command()
@click.option("--http", metavar="HOST:PORT", default="127.0.0.1:8090", show_default=True, help="Where to listen.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("undercroft-demo"),
    show_default=True,
    help="Where its data are kept. Delete the folder to begin anew.",
)
@click.option("--cities", "is_cities", is_flag=True, help="Load 34,000 cities to ask about, in place of the site.")
def command(http: str, folder: Path, *, is_cities: bool) -> None:
    """Run the demo: a glossary of back-end terms with a desk that takes project briefs.

    Its pages, rules and records are those of any site; read them in the package's folder
    undercroft/demo/glossary. The first run fills the data directory, later ones go on with it.

    \b
    Examples:
      undercroft demo
      undercroft demo --http 127.0.0.1:9000 --dir /tmp/demo
      undercroft demo --cities
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    kind: Kind = "cities" if is_cities else "glossary"
    url = parse_address(http).url
    note = _prepare(kind, folder)
    config = _config(kind, http, folder)
    _greet(kind, url, note.password, has_mail=config.dev)
    sys.exit(serve(config))


def _prepare(kind: Kind, folder: Path) -> Note:
    """Set the demo up unless that was done. Raises `OtherData`."""
    place = folder / _NOTE
    if place.is_file():
        note = msgspec.json.decode(place.read_bytes(), type=Note)
        if note.kind != kind:
            raise OtherData(f"{folder} holds the demo of the {note.kind}. Name another folder with --dir.")
        return note
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "unfinished").exists():
        raise OtherData(f"{folder} is there and holds no demo. Name another folder with --dir.")
    note = Note(kind, secrets.token_urlsafe(9))
    shutil.rmtree(folder, ignore_errors=True)  # left by a set-up that was interrupted
    folder.mkdir(parents=True)
    (folder / "unfinished").touch()
    asyncio.run(_set_up(note, folder / "data"))
    place.touch(mode=0o600)
    place.write_bytes(msgspec.json.encode(note))
    (folder / "unfinished").unlink()
    return note


async def _set_up(note: Note, data: Path) -> None:
    backend = await open_backend(data)
    try:
        await upsert_superuser(backend, SUPERUSER, note.password)
        if note.kind == "glossary":
            click.echo("Writing the glossary ...")
            await glossary_data.plant_glossary(backend, note.password)
        else:
            await plant_collections(backend, cities_data.COLLECTIONS.read_bytes())
    finally:
        await close_backend(backend)
    if note.kind == "cities":
        await _import_cities(data)


async def _import_cities(data: Path) -> None:
    names = cities_data.load_names()
    await _import(data, "countries", cities_data.countries(names))
    await _import(data, "cities", cities_data.cities(names), "country=country.iso")


async def _import(data: Path, collection: str, rows: Iterable[Mapping[str, Any]], *mapping: str) -> None:
    """Give rows to the import that every user has."""
    click.echo(f"Importing {collection} ...")
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{collection}.jsonl"
        with file.open("wb") as lines:
            lines.writelines(msgspec.json.encode(row) + b"\n" for row in rows)
        rejects = Path(folder) / "rejected.jsonl"
        await run_import(Order(collection, file, Place(data), "jsonl", "", mapping, False, False, rejects))


def _config(kind: Kind, http: str, folder: Path) -> Config:
    """How the demo is served: on the own machine in development, which shows the mail it sends."""
    is_own = parse_address(http).host in _LOOPBACK
    flags = {"http": http, "dir": str(folder / "data"), "dev": is_own}
    site = glossary_data.SITE if kind == "glossary" else folder
    return load_config(site, flags, os.environ)


def _greet(kind: Kind, url: str, password: str, *, has_mail: bool) -> None:
    """Say where everything is."""
    lines = [f"\nThe demo: {url}"]
    if kind == "glossary":
        lines += [
            f"The desk: {url}/desk   sign in as {glossary_data.STAFF_LOGIN} with {password}",
            *([f"Its mail: {url}/_/mail"] if has_mail else []),
        ]
    lines.append(f"The superuser of its API: {SUPERUSER} with {password}")
    if kind == "cities":
        lines += ["\nTry:", *(f"\n  {title}\n  {address}" for title, address in cities_data.addresses(url))]
    click.echo("\n".join([*lines, "\nCtrl-C stops it.\n"]))
