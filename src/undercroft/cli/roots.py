"""Where the root key is, as the command line says it, and asking for a passphrase on the terminal."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from getpass import getpass
from pathlib import Path
from typing import Any, Final

import click

from undercroft.config import Config
from undercroft.keys.options import RootOptions

_FILE = click.Path(path_type=Path, dir_okay=False)
_OPTIONS = (
    click.option("--root-key-file", type=_FILE, help="Where the root key of encryption is [default: DATA/root.key]."),
    click.option("--root-passphrase-file", type=_FILE, help="A file with the passphrase it is stretched from."),
    click.option("--root-passphrase-ask/--no-root-passphrase-ask", default=None, help="Ask for that passphrase."),
    click.option("--root-age-identity", type=_FILE, help="The age identity it is encrypted to."),
    click.option("--root-transit-url", metavar="URL", help="The transit service that encrypts it (OpenBao, Vault)."),
    click.option("--root-transit-key", metavar="NAME", help="Its key there [default: undercroft]."),
    click.option("--root-transit-mount", metavar="PATH", help="Where transit is mounted there [default: transit]."),
    click.option("--root-transit-namespace", metavar="NAME", help="The namespace there, if it has some."),
    click.option("--root-transit-token-file", type=_FILE, help="A file with the token that lets us in there."),
)

ROOT_NAMES: Final = frozenset(name for name in Config.__struct_fields__ if name.startswith("root_"))


def root_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say where the root key is, by their names in a configuration."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def root_of(config: Config) -> RootOptions:
    """Where the root key is; a passphrase is asked for once, when it is needed."""
    options = RootOptions.of(config, os.environ)
    return replace(options, ask=_ask) if config.root_passphrase_ask else options


@cache
def _ask() -> str:
    return getpass("Passphrase of the root key: ")


@cache
def ask_new_passphrase() -> str:
    """A passphrase that was typed twice, asked for once."""
    passphrase = getpass("New passphrase: ")
    if getpass("The same again: ") != passphrase:
        raise click.ClickException("These were two different passphrases.")
    return passphrase
