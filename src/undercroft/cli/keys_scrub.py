"""`undercroft keys scrub`: overwrites what the disk still has of values that were encrypted since."""

from __future__ import annotations

import asyncio
import sys

import click

from undercroft.cli.data import Place
from undercroft.cli.keys_place import keys_place, open_keys
from undercroft.records.scrubbing import scrub_values


@click.command()
@keys_place
def scrub(place: Place) -> None:
    """Write tables with encrypted fields anew, so that nothing is left on the disk of values they had in clear.

    Encrypting a field does that by itself, but not for a large database while it is in use: `undercroft keys work`
    then says `not_scrubbed`. Whoever writes has to wait meanwhile, so choose a quiet hour.
    """
    left, seen = asyncio.run(_scrub(place))
    if left:
        names = ", ".join(left)
        click.echo(f"Others kept hold of {names} all the time, so something may be left there. Try again.", err=True)
        sys.exit(1)
    click.echo(f"Nothing is left of what {len(seen)} tables with encrypted fields held before.")


async def _scrub(place: Place) -> tuple[list[str], list[str]]:
    seen: list[str] = []

    def tell(name: str) -> None:
        seen.append(name)
        click.echo(f"Writing {name} anew ...", err=True)

    async with open_keys(place) as backend:
        return await scrub_values(backend, tell), seen
