"""`undercroft passwords`: making the file of passwords that nobody may set."""

from __future__ import annotations

from pathlib import Path

import click

from undercroft.cli.import_progress import ImportProgress
from undercroft.cli.passwords_sort import Heard, prepare_list
from undercroft.errors import Problem

_FILE = click.Path(path_type=Path, dir_okay=False)


class NoPasswords(Problem):
    """The list that is to be prepared cannot be read, or holds none."""

    code = "no_passwords"


@click.group()
def command() -> None:
    """Make the file of passwords that nobody may set.

    \b
    Example:
      undercroft passwords prepare leaked.txt breached.txt
      undercroft serve --breached-passwords breached.txt
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines


@command.command()
@click.argument("source", metavar="LIST", type=_FILE)
@click.argument("target", metavar="FILE", type=_FILE)
def prepare(source: Path, target: Path) -> None:
    """Make FILE for `undercroft serve --breached-passwords` of LIST, one password a line.

    FILE has their SHA-1 hashes in order, each with how often it was in LIST, as the lists have that
    one can download; such a one needs no preparing. Memory takes what a 256th of the hashes
    need, the folder of FILE up to 20 bytes a line besides.
    """
    try:
        with ImportProgress("Preparing", source.stat().st_size * 2) as progress:
            count = prepare_list(source, target, _heard(progress))
    except OSError as error:
        raise NoPasswords(f"{error.filename or source} cannot be used: {error.strerror}.") from error
    if not count:
        raise NoPasswords(f"There is no password in {source}.")
    click.echo(f"{count:,} passwords in {target}")


def _heard(progress: ImportProgress) -> Heard:
    return lambda done, count: progress.advance(done, f"{count:,} passwords")
