"""How far an import is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import Final, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_SECONDS: Final = 10.0


class ImportProgress:
    """Shows what it is told. `total` is what `advance` counts to; None when nobody knows."""

    def __init__(self, title: str, total: int | None) -> None:
        console = Console(stderr=True)
        self._title = title
        self._is_shown = console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not self._is_shown,
            transient=True,
        )
        self._task = self._progress.add_task(title, total=total, told="")
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, done: int | None, told: str) -> None:
        """So much is done, and these are the figures."""
        self._progress.update(self._task, completed=done, told=told)
        if not self._is_shown and time.monotonic() - self._said > _SECONDS:
            self._said = time.monotonic()
            click.echo(f"{self._title}: {told} so far", err=True)
