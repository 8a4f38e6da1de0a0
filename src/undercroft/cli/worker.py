"""One of several processes; started by its parent, which holds the data directory."""

from __future__ import annotations

import sys

import click
import msgspec

from undercroft.cli.exits import exit_code
from undercroft.cli.process import run_process
from undercroft.config import Address, Config
from undercroft.errors import Problem


def main(task: str) -> int:
    """Serve what the parent said; the exit code."""
    config, address = msgspec.json.decode(task, type=tuple[Config, Address])
    try:
        return run_process(config, address, is_worker=True)
    except Problem as problem:
        click.echo(f"undercroft: {problem.message()}", err=True)
        return exit_code(problem)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
