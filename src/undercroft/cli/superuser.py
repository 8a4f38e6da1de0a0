"""`undercroft superuser`: accounts that may do everything, also while a server runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from undercroft.app import close_backend, open_backend
from undercroft.auth.blocks import unblock_superuser
from undercroft.auth.superusers import create_superuser, delete_superuser, update_superuser, upsert_superuser
from undercroft.auth.totp import forget_totp
from undercroft.backend import Backend
from undercroft.cli.data import Place, explained, place_options
from undercroft.cli.roots import root_of
from undercroft.errors import Invalid


@click.group()
def command() -> None:
    """Make, change or delete superusers, also while a server runs.

    \b
    Examples:
      undercroft superuser create me@example.com a-long-password
      undercroft superuser update me@example.com a-better-password --dir /srv/data
      undercroft superuser delete me@example.com
      undercroft superuser reset-totp me@example.com
      undercroft superuser unblock me@example.com
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines


@command.command()
@click.argument("email")
@click.argument("password")
@place_options
def create(email: str, password: str, place: Place) -> None:
    """Make a new superuser."""
    _run(place, lambda backend: create_superuser(backend, email, password))
    click.echo(f"{email} is a superuser now.")


@command.command()
@click.argument("email")
@click.argument("password")
@place_options
def upsert(email: str, password: str, place: Place) -> None:
    """Make a superuser, or give an existing one a new password."""
    _run(place, lambda backend: upsert_superuser(backend, email, password))
    click.echo(f"{email} is a superuser with this password.")


@command.command()
@click.argument("email")
@click.argument("password")
@place_options
def update(email: str, password: str, place: Place) -> None:
    """Give a superuser a new password."""
    _run(place, lambda backend: update_superuser(backend, email, password))
    click.echo(f"{email} has a new password; earlier tokens are worthless.")


@command.command()
@click.argument("email")
@place_options
def delete(email: str, place: Place) -> None:
    """Delete a superuser; the last one stays."""
    _run(place, lambda backend: delete_superuser(backend, email))
    click.echo(f"{email} is no superuser any more.")


@command.command("reset-totp")
@click.argument("email")
@place_options
def reset_totp(email: str, place: Place) -> None:
    """Let in a superuser who has lost app and recovery codes."""
    _run(place, lambda backend: forget_totp(backend, email))
    click.echo(f"{email} is not asked for codes any more.")


@command.command()
@click.argument("email")
@place_options
def unblock(email: str, place: Place) -> None:
    """Let in a superuser whom another one has blocked."""
    _run(place, lambda backend: unblock_superuser(backend, email))
    click.echo(f"{email} may log in again.")


def _run(place: Place, work: Callable[[Backend], Awaitable[object]]) -> None:
    config = place.config()

    async def run() -> None:
        backend = await open_backend(
            Path(config.dir), config.database, root=root_of(config), breached=config.breached_passwords
        )
        try:
            await work(backend)
        finally:
            await close_backend(backend)

    try:
        asyncio.run(run())
    except Invalid as problem:
        raise explained(problem) from None
