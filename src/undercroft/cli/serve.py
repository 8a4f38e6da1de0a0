"""`undercroft serve`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from undercroft.cli.listen import address_of, listen
from undercroft.cli.process import run_process
from undercroft.cli.roots import root_flags
from undercroft.cli.workers import run_workers
from undercroft.config import Config, load_config, parse_address


def _split(context: click.Context, option: click.Parameter, value: str | None) -> list[str] | None:
    del context, option
    return [part.strip() for part in value.split(",")] if value else None


@click.command()
@click.argument("site", type=click.Path(path_type=Path, file_okay=False, exists=True), default=".", required=False)
@click.option("--http", metavar="HOST:PORT", help="Where to listen [default: 127.0.0.1:8090].")
@click.option("--dir", metavar="DATA", help="The data directory [default: SITE/data].")
@click.option("--database", metavar="URL", help="A PostgreSQL database, in place of SQLite in the data directory.")
@click.option("--files", metavar="URL", help="A bucket for uploads, s3://BUCKET/PREFIX?endpoint=URL, or `local`.")
@click.option("--workers", type=int, metavar="N", help="How many processes share the port and the data [default: 1].")
@click.option("--dev/--no-dev", default=None, help="Show more on the terminal: every request, and more about errors.")
@click.option("--origins", metavar="LIST", callback=_split, help="Origins that may read answers [default: *].")
@click.option("--access-log/--no-access-log", default=None, help="Write a line about every request to stderr.")
@click.option(
    "--rate-limits/--no-rate-limits", default=None, help="Obey the rate limits of the settings [default: yes]."
)
@click.option(
    "--breached-passwords",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Passwords that nobody may set, as `undercroft passwords prepare` makes such a file.",
)
@root_flags
@click.option("--root-cache-seconds", type=float, help="How long keys are good while that is away [default: 3600].")
@click.option("--serve-locked/--no-serve-locked", default=None, help="Serve what is not encrypted without it, too.")
def command(site: Path, **flags: Any) -> None:
    """Serve the site in the folder SITE.

    Options can also stand in SITE/undercroft.toml (`http = "0.0.0.0:80"`) and in
    the environment (`UNDERCROFT_HTTP`); a flag wins over both.

    \b
    Examples:
      undercroft serve
      undercroft serve mysite --http 0.0.0.0:80 --workers 4
      undercroft serve --dir /srv/data --origins https://app.example.com,https://*.example.org
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    told = {name: str(flag) if isinstance(flag, Path) else flag for name, flag in flags.items()}
    sys.exit(serve(load_config(site, told, os.environ)))


def serve(config: Config) -> int:
    """Serve until a signal ends it; the exit code. Raises `StartRefused` and its kin."""
    asked = parse_address(config.http)
    with listen(asked) as listener:
        address = address_of(listener, asked)
        if config.workers == 1:
            return run_process(config, address, listener)
    # The socket showed that nobody else is there, with whom those of the workers would share the port.
    return run_workers(config, address)
