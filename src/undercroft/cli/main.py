"""The command line. Commands are imported when they are called, so that `--version` stays quick."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Final

import click

from undercroft import __version__
from undercroft.cli.exits import exit_code, told_of
from undercroft.errors import Problem

COMMANDS: Final = {
    "demo": "undercroft.cli.demo",
    "new": "undercroft.cli.new",
    "serve": "undercroft.cli.serve",
    "superuser": "undercroft.cli.superuser",
    "apikeys": "undercroft.cli.apikeys",
    "import": "undercroft.cli.importing",
    "export": "undercroft.cli.exporting",
    "move": "undercroft.cli.move",
    "adopt": "undercroft.cli.adopt",
    "files": "undercroft.cli.files",
    "mail": "undercroft.cli.mail",
    "jobs": "undercroft.cli.jobs",
    "keys": "undercroft.cli.keys",
    "passwords": "undercroft.cli.passwords",
}


class Commands(click.Group):
    """Commands by name, each the attribute `command` of a module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order one meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        del ctx
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = _import_quickly(module).command
        return command


def _import_quickly(name: str) -> ModuleType:
    """The module; imports make no garbage, so looking for some would only take time."""
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.enable()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="undercroft")
def cli() -> None:
    """A complete backend in one package: records over REST with rules, users and files.

    \b
    Examples:
      undercroft serve                        serve ./data on 127.0.0.1:8090
      undercroft serve mysite --http :80      serve the site in ./mysite to everyone
      undercroft superuser upsert me@example.com a-long-password
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 when it worked, 2 for wrong usage, else a code of the reason."""
    try:
        cli.main(args=arguments, prog_name="undercroft")
    except Problem as problem:
        click.echo(f"undercroft: {told_of(problem)}", err=True)
        sys.exit(exit_code(problem))


if __name__ == "__main__":
    main()
