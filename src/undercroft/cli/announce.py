"""What the terminal shows when a server is up."""

from __future__ import annotations

import click

from undercroft import __version__
from undercroft.auth.setup_link import SECONDS, make_link, needs_setup
from undercroft.backend import Backend
from undercroft.config import Address
from undercroft.keys.opening import load_warning
from undercroft.pages.options import SiteOptions


async def announce(backend: Backend, address: Address, site: SiteOptions) -> None:
    """Print where the server and its site are; when there is no superuser, also the one link that makes the first."""
    url, folder = address.url, backend.directory.absolute()
    click.echo(f"Undercroft {__version__} serves {url}/api/ from {folder}")
    if site.is_there:
        click.echo(f"Its site is at {url}/ from {site.folder.absolute()}")
    warning = await load_warning(backend.engine, backend.keyring.root)
    if warning:
        click.echo(f"\n{warning}")
    if not await needs_setup(backend):
        return
    token = await make_link(backend.engine)
    click.echo(f"\nThere is no superuser yet. Make the first one here, within {SECONDS // 60} minutes:\n")
    click.echo(f"  {url}/_/setup/{token}\n")
    click.echo(f"or with: undercroft superuser create EMAIL PASSWORD --dir {folder}\n")


def announce_waiting(address: Address) -> None:
    """Print that the server is there, and that it answers nothing yet."""
    click.echo(f"Undercroft {__version__} listens on {address.url}, and waits for its root key.")
