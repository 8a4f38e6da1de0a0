"""How far the work on files is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import Final, Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

_SECONDS: Final = 10.0


class FilesProgress:
    """A `Watcher` that shows what it is told."""

    def __init__(self, title: str) -> None:
        console = Console(stderr=True)
        counted = TextColumn("{task.fields[files]:,} of {task.fields[of]:,} files")
        bar = (TextColumn("{task.description}"), BarColumn(), counted, DownloadColumn())
        self._is_shown = console.is_terminal
        self._progress = Progress(
            *bar,
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not self._is_shown,
            transient=True,
        )
        self._title = title
        self._task: TaskID | None = None
        self._done = [0, 0]
        self._all = (0, 0)
        self._told = self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, files: int, size: int) -> None:
        """The work begins, or begins again, with so much to do; sizes are in bytes."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._done, self._all = [0, 0], (files, size)
        self._told = self._began = time.monotonic()
        self._task = self._progress.add_task(self._title, total=size, files=0, of=files)

    def advance(self, files: int, size: int) -> None:
        """So much more is done."""
        self._done[0] += files
        self._done[1] += size
        if self._task is not None:
            self._progress.update(self._task, advance=size, files=self._done[0])
        if not self._is_shown and time.monotonic() - self._told > _SECONDS:
            self._told = time.monotonic()
            click.echo(self._line(), err=True)

    def _line(self) -> str:
        (files, size), (of_files, of_size) = self._done, self._all
        passed = time.monotonic() - self._began
        left = passed * (of_size - size) / size if size else 0.0
        share = f"{files:,} of {of_files:,} files, {size / 1e6:,.0f} of {of_size / 1e6:,.0f} MB"
        return f"{self._title}: {share}, about {left:,.0f} s to go"
