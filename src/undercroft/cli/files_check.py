"""`undercroft files check`: do the stored files and the records agree?"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from undercroft.backend import Backend
from undercroft.cli.data import Place, open_data, place_options
from undercroft.records.reconcile import Check, Finding, count_records

_SECONDS: Final = 10.0
_AT_ONCE: Final = 200
_KINDS: Final = {
    "orphan": "Orphans, which no record names",
    "missing": "Missing files, which a record names",
    "damaged": "Damaged files",
    "foreign": "Files of others, which are left alone",
}


@click.command()
@place_options
@click.option("--deep", "is_deep", is_flag=True, help="Read every file, and compare it with its checksum.")
@click.option("--repair", "is_repairing", is_flag=True, help="Delete orphans, and what was left to be deleted.")
def command(place: Place, *, is_deep: bool, is_repairing: bool) -> None:
    """Compare the stored files with what the records name, both ways.

    Each thing found is a line: what it is, and the file's place in the store. The
    server may run meanwhile: what an upload is about to use is no orphan. Nothing is
    changed without --repair. A missing or damaged file can only come from a backup;
    put it back to its place. Exits with 1 when something is not as it should be.

    \b
    Examples:
      undercroft files check
      undercroft files check --deep --dir /srv/data
      undercroft files check --repair
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    is_good = asyncio.run(run_check(place, is_deep=is_deep, is_repairing=is_repairing))
    sys.exit(0 if is_good else 1)


@dataclass(slots=True)
class Outcome:
    """What was found, by kind, and what was done about it; sizes are in bytes."""

    counts: Counter[str] = field(default_factory=Counter)
    orphaned: int = 0
    deleted: int = 0

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong any more."""
        return self.counts["orphan"] == self.deleted and not self.counts["missing"] and not self.counts["damaged"]


async def run_check(place: Place, *, is_deep: bool, is_repairing: bool) -> bool:
    """Check, tell, and repair if asked to; whether all is well. Raises a `Problem` when it cannot begin."""
    async with open_data(place) as backend:
        if is_repairing:
            await backend.filing.clear()
        with CheckProgress(await count_records(backend.engine)) as progress:
            outcome = await _check(backend, progress, is_deep=is_deep, is_repairing=is_repairing)
        _report(outcome, progress, is_deep=is_deep)
    return outcome.is_good


async def _check(backend: Backend, progress: CheckProgress, *, is_deep: bool, is_repairing: bool) -> Outcome:
    outcome, orphans = Outcome(), list[str]()
    async for finding in Check(backend.engine, backend.files, progress, is_deep).run():
        progress.show(_line(finding))
        outcome.counts[finding.kind] += 1
        if finding.kind == "orphan":
            outcome.orphaned += finding.size
            orphans.append(finding.key)
        if is_repairing and len(orphans) >= _AT_ONCE:
            outcome.deleted += await _delete(backend, orphans)
    if is_repairing:
        outcome.deleted += await _delete(backend, orphans)
    return outcome


async def _delete(backend: Backend, orphans: list[str]) -> int:
    count = len(orphans)
    await backend.files.delete(orphans)
    orphans.clear()
    return count


def _line(finding: Finding) -> str:
    size = f" ({finding.size:,} bytes)" if finding.kind in ("orphan", "foreign") else ""
    return f"{finding.kind}: {finding.key}{size}" + (f": {finding.note}" if finding.note else "")


def _report(outcome: Outcome, progress: CheckProgress, *, is_deep: bool) -> None:
    read = ", and every byte of them was read" if is_deep else ""
    click.echo(
        f"{progress.files:,} files with {progress.size:,} bytes are stored, "
        f"{progress.records:,} records name {progress.names:,}{read}."
    )
    for kind, text in _KINDS.items():
        if outcome.counts[kind]:
            size = f" ({outcome.orphaned:,} bytes)" if kind == "orphan" else ""
            click.echo(f"{text}: {outcome.counts[kind]:,}{size}")
    if outcome.deleted:
        click.echo(f"{outcome.deleted:,} orphans were deleted.")
    elif outcome.counts["orphan"]:
        click.echo("To delete the orphans, give the same command with --repair.")
    if outcome.counts["missing"] or outcome.counts["damaged"]:
        click.echo("What is missing or damaged must come from a backup: put each file back to its place.")
    if outcome.is_good and not outcome.deleted:
        click.echo("The files and the records agree.")


class CheckProgress:
    """Counts what is told, and shows it: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, of_records: int) -> None:
        self.files = self.size = self.records = self.names = 0
        self._of = of_records
        self._console = Console(stderr=True)
        self._is_shown = self._console.is_terminal
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=self._console, disable=not self._is_shown, transient=True)
        self._store = self._progress.add_task("stored files", total=None, told="")
        self._all_records = self._progress.add_task("records", total=of_records, told="", visible=False)
        self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def listed(self, files: int, size: int) -> None:
        """So many files more are in the store, of so many bytes."""
        self.files += files
        self.size += size
        self._progress.update(self._store, told=f"{self.files:,} files")
        self._tell(f"{self.files:,} stored files were looked at")

    def looked_at(self, records: int, names: int) -> None:
        """So many records more were looked at, with so many names of files."""
        self.records += records
        self.names += names
        told = f"{self.records:,} of {self._of:,}"
        self._progress.update(self._all_records, completed=self.records, told=told, visible=True)
        self._tell(f"{told} records were looked at")

    def show(self, line: str) -> None:
        """A line that stays."""
        if self._is_shown:
            self._progress.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(line)

    def _tell(self, line: str) -> None:
        if not self._is_shown and time.monotonic() - self._told > _SECONDS:
            self._told = time.monotonic()
            click.echo(line, err=True)
