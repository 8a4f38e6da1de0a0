"""`undercroft apikeys`: keys that programs act for accounts with, also while a server runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import click

from undercroft.api.auth.api_keys import KeyForm, read_wanted
from undercroft.auth.api_keys import ApiKey, add_key, list_keys, revoke_key
from undercroft.auth.blocks import is_blocked
from undercroft.auth.key_scopes import render_scopes
from undercroft.backend import Backend
from undercroft.cli.data import NoData, Place, explained, find_collection, open_data, place_options
from undercroft.cli.jobs import table
from undercroft.collections.catalog import Catalog
from undercroft.dates import date_of
from undercroft.errors import Invalid, NotFound
from undercroft.query.scope import Identity
from undercroft.records.record import find_identity

_HEADS: Final = ("ID", "ACCOUNT", "NAME", "SCOPES", "EXPIRES", "USED", "FROM")
_SUPERUSERS: Final = "_superusers"
T = TypeVar("T")


@click.group()
def command() -> None:
    """Make API keys, show and revoke them, also while a server runs.

    ACCOUNT is COLLECTION/EMAIL or COLLECTION/ID; without a collection it is a superuser.

    \b
    Examples:
      undercroft apikeys create me@example.com --name backups --scope read
      undercroft apikeys create users/ada@example.com --name import --scope posts:write --expires 2030-01-01
      undercroft apikeys list
      undercroft apikeys revoke k3x0q8w1z5m7c2v
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines


@command.command()
@click.argument("account")
@click.option("--name", required=True, help="What it is for.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="*, read, NAME:read or NAME:write; may be repeated."
)
@click.option("--expires", default="", metavar="DATE", help="Until when it counts [default: until it is revoked].")
@place_options
def create(account: str, name: str, scopes: tuple[str, ...], expires: str, place: Place) -> None:
    """Make a key for ACCOUNT, and print it this once."""

    async def make(backend: Backend) -> str:
        wanted = read_wanted(KeyForm(name, scopes, expires), backend.catalog)
        owner = await _find(backend, account)
        if await is_blocked(backend.engine.read, backend.engine.dialect, owner):
            raise NoData(f"{account} is blocked.")
        _, text = await backend.engine.write(lambda tx: add_key(tx, backend.engine.dialect, owner, wanted))
        return text

    click.echo(_run(place, make))


@command.command("list")
@click.argument("account", required=False, default="")
@place_options
def list_(account: str, place: Place) -> None:
    """List the keys of ACCOUNT, or of everybody."""

    async def load(backend: Backend) -> list[tuple[str, ...]]:
        owner = await _find(backend, account) if account else None
        found = await list_keys(backend.engine.read, backend.engine.dialect, owner)
        return [_cells(key, backend.catalog) for key in found]

    rows = _run(place, load)
    for line in table([_HEADS, *rows]) if rows else ["There are no API keys."]:
        click.echo(line)


@command.command()
@click.argument("key_id", metavar="ID")
@place_options
def revoke(key_id: str, place: Place) -> None:
    """Revoke a key: it opens nothing any more, at once and everywhere."""

    async def end(backend: Backend) -> None:
        try:
            await revoke_key(backend.engine, key_id)
        except NotFound:
            raise NoData(f"There is no API key {key_id!r}: `undercroft apikeys list` shows those there are.") from None

    _run(place, end)
    click.echo(f"The API key {key_id} is revoked.")


async def _find(backend: Backend, account: str) -> Identity:
    """The account of a name. Raises `NoData`."""
    where, _, who = account.rpartition("/")
    collection = find_collection(backend, where or _SUPERUSERS)
    if not collection.is_auth:
        raise NoData(f"{collection.name!r} has no accounts.")
    engine, by = backend.engine, "email" if "@" in who else "id"
    found = await find_identity(engine.read, engine.dialect, collection, {by: who})
    if found is None:
        raise NoData(f"There is no account {who!r} in {collection.name!r}.")
    return found


def _cells(key: ApiKey, catalog: Catalog) -> tuple[str, ...]:
    collection = catalog.find(key.collection)
    owner = f"{collection.name if collection is not None else key.collection}/{key.record}"
    scopes = " ".join(render_scopes(key.scopes, catalog))
    return (
        key.id,
        owner,
        key.name,
        scopes,
        date_of(key.expires)[:19] or "-",
        date_of(key.used)[:19] or "-",
        key.address or "-",
    )


def _run(place: Place, work: Callable[[Backend], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_data(place) as backend:
            return await work(backend)

    try:
        return asyncio.run(run())
    except Invalid as problem:
        raise explained(problem) from None
