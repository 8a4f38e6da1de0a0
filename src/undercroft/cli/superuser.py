"""`undercroft superuser`: accounts that may do everything, also while a server runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from undercroft.app import close_backend, open_backend
from undercroft.auth.superusers import create_superuser, delete_superuser, update_superuser, upsert_superuser
from undercroft.backend import Backend
from undercroft.config import load_config
from undercroft.errors import FieldError, Invalid, Problem

_DIRECTORY = click.option(
    "--dir", "directory", type=click.Path(path_type=Path, file_okay=False), help="The data directory [default: data]."
)


@click.group()
def command() -> None:
    """Make, change or delete superusers, also while a server runs.

    \b
    Examples:
      undercroft superuser create me@example.com a-long-password
      undercroft superuser update me@example.com a-better-password --dir /srv/data
      undercroft superuser delete me@example.com
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines


@command.command()
@click.argument("email")
@click.argument("password")
@_DIRECTORY
def create(email: str, password: str, directory: Path | None) -> None:
    """Make a new superuser."""
    _run(directory, lambda backend: create_superuser(backend, email, password))
    click.echo(f"{email} is a superuser now.")


@command.command()
@click.argument("email")
@click.argument("password")
@_DIRECTORY
def upsert(email: str, password: str, directory: Path | None) -> None:
    """Make a superuser, or give an existing one a new password."""
    _run(directory, lambda backend: upsert_superuser(backend, email, password))
    click.echo(f"{email} is a superuser with this password.")


@command.command()
@click.argument("email")
@click.argument("password")
@_DIRECTORY
def update(email: str, password: str, directory: Path | None) -> None:
    """Give a superuser a new password."""
    _run(directory, lambda backend: update_superuser(backend, email, password))
    click.echo(f"{email} has a new password; earlier tokens are worthless.")


@command.command()
@click.argument("email")
@_DIRECTORY
def delete(email: str, directory: Path | None) -> None:
    """Delete a superuser; the last one stays."""
    _run(directory, lambda backend: delete_superuser(backend, email))
    click.echo(f"{email} is no superuser any more.")


def _run(directory: Path | None, work: Callable[[Backend], Awaitable[object]]) -> None:
    flags = {"dir": str(directory)} if directory else {}
    folder = Path(load_config(Path(), flags, os.environ).dir)

    async def run() -> None:
        backend = await open_backend(folder)
        try:
            await work(backend)
        finally:
            await close_backend(backend)

    try:
        asyncio.run(run())
    except Invalid as problem:
        raise Problem(_explain(problem)) from None


def _explain(problem: Invalid) -> str:
    found = [(name, error) for name, error in problem.data.items() if isinstance(error, FieldError)]
    return " ".join(f"{name}: {error.message}" for name, error in found) or problem.message()
