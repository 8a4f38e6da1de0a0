"""Moving a whole database into an empty one of any engine, with proof.

First everything is read: does each value fit, and what do all of them sum up to? Then
tables are copied page by page, each page in one transaction with the note how far it
is, so that a move that was killed goes on where it stopped. At the end the target is read
back and compared. The source is only read, and nobody else can write it meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from undercroft.database.changes import last_change_id
from undercroft.database.engine import Engine, Row
from undercroft.database.limits import Limits
from undercroft.database.migrations import Migration, migrate
from undercroft.database.move_check import measure_table, try_definitions
from undercroft.database.move_copy import copy_table, make_view
from undercroft.database.move_fit import Fitting, Misfit
from undercroft.database.move_pages import Source, count_rows
from undercroft.database.move_report import Comparison, Report
from undercroft.database.move_state import Header, Measure, find_header, save_header
from undercroft.database.moved import MovedTable, MovePlan
from undercroft.database.refusals import NewerDataFormat
from undercroft.dates import now
from undercroft.errors import Problem


class MoveFinished(Problem):
    """The target was filled by a move that is over."""

    code = "move_finished"

    def __init__(self, header: Header) -> None:
        super().__init__(
            f"The target holds what was moved from {header.source} at {header.finished}, and is not overwritten: "
            "name an empty database, or drop this one first."
        )


class TargetNotEmpty(Problem):
    """The target holds tables that no move has made."""

    code = "target_not_empty"

    def __init__(self, tables: Sequence[str]) -> None:
        shown = ", ".join(tables[:5]) + (" and others" if len(tables) > 5 else "")
        super().__init__(f"The target is not empty (it has {shown}): name an empty database, or empty this one first.")


class SourceChanged(Problem):
    """Something was written to the source since the move began."""

    code = "source_changed"

    def __init__(self, header: Header) -> None:
        super().__init__(
            f"The source has changed since the move began at {header.begun}, so the rest would not match what is "
            "there already: empty the target and move again."
        )


class OlderDataFormat(Problem):
    """The source has a format that this program would first bring up to date, which a move must not do."""

    code = "older_data_format"

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"The data has format {found}, this program writes {known}: start a server on it once, then move it."
        )


class Watcher(Protocol):
    """Is told what a move does."""

    def begin(self, stage: str, total: int) -> None:
        """A stage begins, with so many rows to go."""
        ...

    def advance(self, rows: int) -> None:
        """So many rows more are done."""
        ...


@dataclass(frozen=True, slots=True)
class Move:
    """What goes where; the names are for people."""

    source: Source
    source_name: str
    target: Engine
    target_name: str
    limits: Limits
    plan: MovePlan
    formats: Sequence[Migration]
    watcher: Watcher


async def check_move(move: Move) -> Report:
    """Look whether everything fits, and write nothing. Raises when the target is not empty."""
    await _refuse_format(move)
    await _refuse_full(move.target)
    return await _check(move)


async def run_move(move: Move) -> Report:
    """Move everything, or what an earlier run has not; a report with misfits when it cannot begin."""
    await _refuse_format(move)
    header = await find_header(move.target.read, move.target.dialect)
    if header is None:
        await _refuse_full(move.target)
        checked = await _check(move)
        if checked.misfits:
            return checked
        header = _header(move, checked, await _mark(move))
    else:
        header = await _resumed(move, header)
    await save_header(move.target, header)
    await _fill(move, header)
    report = await _compare(move, header)
    if report.is_equal:
        await save_header(move.target, replace(header, finished=report.finished))
    return report


async def _check(move: Move) -> Report:
    begun = now()
    move.watcher.begin("Checking", await _total(move))
    misfits = await try_definitions(move.target, move.plan, move.formats)
    tables = [Comparison(table.name, await _check_table(move, table, misfits)) for table in move.plan.tables]
    views = [Comparison(view.name, Measure(await count_rows(move.source, view.name))) for view in move.plan.views]
    return Report(
        source=move.source_name,
        target=move.target_name,
        begun=begun,
        finished=now(),
        tables=tables,
        views=views,
        left=move.plan.left,
        misfits=misfits,
    )


async def _check_table(move: Move, table: MovedTable, misfits: list[Misfit]) -> Measure:
    """What a table sums up to; what does not fit is added to the misfits."""
    fitting = Fitting(table, move.limits)

    def look(row: Row) -> None:
        misfits.extend(fitting.misfits(row))

    return await measure_table(move.source, table, move.watcher.advance, look)


def _header(move: Move, checked: Report, mark: str) -> Header:
    return Header(
        source=move.source_name,
        target=move.target_name,
        mark=mark,
        measures={table.name: table.source for table in checked.tables},
        views={view.name: view.source.count for view in checked.views},
        begun=checked.begun,
    )


async def _resumed(move: Move, header: Header) -> Header:
    if header.finished:
        raise MoveFinished(header)
    if header.mark != await _mark(move):
        raise SourceChanged(header)
    return replace(header, runs=header.runs + 1)


async def _fill(move: Move, header: Header) -> None:
    await migrate(move.target, move.formats)
    move.watcher.begin("Copying", sum(measure.count for measure in header.measures.values()))
    for table in move.plan.tables:
        await copy_table(move.source, move.target, table, move.watcher.advance)
    for view in move.plan.views:
        await make_view(move.target, view)


async def _compare(move: Move, header: Header) -> Report:
    """Read the target back and hold it against what the source was when the move began."""
    move.watcher.begin("Comparing", sum(measure.count for measure in header.measures.values()))
    there = Source(move.target.read, move.target.dialect)
    tables = [
        Comparison(table.name, header.measures[table.name], await measure_table(there, table, move.watcher.advance))
        for table in move.plan.tables
    ]
    views = [
        Comparison(view.name, Measure(header.views[view.name]), Measure(await count_rows(there, view.name)))
        for view in move.plan.views
    ]
    return Report(
        source=move.source_name,
        target=move.target_name,
        begun=header.begun,
        finished=now(),
        runs=header.runs,
        tables=tables,
        views=views,
        left=move.plan.left,
    )


async def _refuse_full(target: Engine) -> None:
    names = sorted(str(name) for (name,) in await target.read(target.dialect.list_tables()))
    if names:
        raise TargetNotEmpty(names)


async def _refuse_format(move: Move) -> None:
    """Refuse a source that a server of this program would first change. Raises also for newer ones."""
    rows = await move.source.read('SELECT coalesce(max("number"), 0) FROM "_migrations"', ())
    found, known = int(rows[0][0] or 0), max(step.number for step in move.formats)
    if found > known:
        raise NewerDataFormat(found, known)
    if found < known:
        raise OlderDataFormat(found, known)


async def _total(move: Move) -> int:
    return sum([await count_rows(move.source, table.name) for table in move.plan.tables])


async def _mark(move: Move) -> str:
    """A text that is another one once anything was written to the source."""
    counts = [f"{table.name} {await count_rows(move.source, table.name)}" for table in move.plan.tables]
    told = "\n".join([str(await last_change_id(move.source.read)), *counts])
    return hashlib.sha256(told.encode()).hexdigest()
