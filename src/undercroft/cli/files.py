"""`undercroft files`: what can be done with uploaded files as a whole."""

from __future__ import annotations

import click

from undercroft.cli.files_check import command as check
from undercroft.cli.files_move import command as move
from undercroft.cli.files_turn import decrypt, encrypt


@click.group()
def command() -> None:
    """Check uploaded files, encrypt them, or move them into another store."""


command.add_command(check, "check")
command.add_command(move, "move")
command.add_command(encrypt, "encrypt")
command.add_command(decrypt, "decrypt")
