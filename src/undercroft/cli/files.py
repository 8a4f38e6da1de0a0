"""`undercroft files`: what can be done with uploaded files as a whole."""

from __future__ import annotations

import click

from undercroft.cli.files_check import command as check
from undercroft.cli.files_move import command as move


@click.group()
def command() -> None:
    """Check uploaded files, or move them into another store."""


command.add_command(check, "check")
command.add_command(move, "move")
