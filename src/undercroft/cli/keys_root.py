"""`undercroft keys root`: another root key, at the same place or at another one."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from undercroft.cli.data import Place
from undercroft.cli.keys_place import actor, keys_place, open_keys
from undercroft.cli.roots import ask_new_passphrase
from undercroft.http.calling import post
from undercroft.keys.options import RootOptions, choose_root
from undercroft.keys.rewrap import Rewrapped, change_root
from undercroft.keys.root import SHOWN, Root

NEW_KEY: Final = "UNDERCROFT_NEW_ROOT_KEY"
NEW_PASSPHRASE: Final = "UNDERCROFT_NEW_ROOT_PASSPHRASE"  # noqa: S105 - the name of a variable
NEW_TOKEN: Final = "UNDERCROFT_NEW_ROOT_TRANSIT_TOKEN"  # noqa: S105 - likewise
_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.command("root")
@click.option("--new-root-key-file", type=_FILE, help="The file for the new root key, made if it is not there.")
@click.option("--new-root-passphrase-file", type=_FILE, help="A file with the passphrase to stretch it from.")
@click.option("--new-root-passphrase-ask", is_flag=True, help="Ask for that passphrase, twice.")
@click.option("--new-root-age-identity", type=_FILE, help="The age identity to encrypt it to.")
@click.option("--new-root-transit-url", metavar="URL", help="The transit service that is to encrypt it.")
@click.option("--new-root-transit-key", metavar="NAME", default="undercroft", show_default=True, help="Its key there.")
@click.option("--new-root-transit-mount", metavar="PATH", default="transit", show_default=True, help="Its place there.")
@click.option("--new-root-transit-namespace", metavar="NAME", default="", help="The namespace there.")
@click.option("--new-root-transit-token-file", type=_FILE, help="A file with the token that lets us in there.")
@keys_place
def root(place: Place, **options: object) -> None:
    """Change the root key: all keys are wrapped under a new one; what they sealed is not touched.

    Without options it is a new one at the same place, and servers that run find it there. A root
    key in the environment can be given as UNDERCROFT_NEW_ROOT_KEY, a passphrase as
    UNDERCROFT_NEW_ROOT_PASSPHRASE, a token as UNDERCROFT_NEW_ROOT_TRANSIT_TOKEN. Servers that would
    not find the new one have to be stopped before.
    """
    named = _new_options({name.removeprefix("new_root_"): value for name, value in options.items()})

    async def change() -> tuple[Rewrapped, str]:
        async with open_keys(place) as backend:
            new: Root = backend.keyring.root
            if named is not None:
                new = choose_root(named, backend.directory, post)
            return await change_root(backend.engine, backend.keyring, new, actor()), new.source

    done, source = asyncio.run(change())
    click.echo(
        f"{done.keys} keys are under version {done.version} of the root key, check value {done.check[:SHOWN]}, "
        f"after {done.seconds * 1000:.0f} ms. It is {source}."
    )
    if named is not None:
        click.echo("Start servers with the options that say so; the old root key opens backups made before.")


def _new_options(given: dict[str, object]) -> RootOptions | None:
    """Where the new root key is to be; None for the same place."""
    key, passphrase = os.environ.get(NEW_KEY, ""), os.environ.get(NEW_PASSPHRASE, "")
    places = ("key_file", "passphrase_file", "passphrase_ask", "age_identity", "transit_url")
    if not (key or passphrase or any(given[name] for name in places)):
        return None
    files: dict[str, Any] = {name: str(given[name] or "") for name in ("key_file", "passphrase_file", "age_identity")}
    transit: dict[str, Any] = {name: str(given[name] or "") for name in given if name.startswith("transit_")}
    secrets = RootOptions(key=key, passphrase=passphrase, transit_token=os.environ.get(NEW_TOKEN, ""))
    options = replace(secrets, **files, **transit)
    return replace(options, ask=ask_new_passphrase) if given["passphrase_ask"] else options
