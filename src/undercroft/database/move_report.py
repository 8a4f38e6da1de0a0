"""What a move found and did, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from undercroft.database.move_fit import Misfit
from undercroft.database.move_state import Measure


class Comparison(msgspec.Struct, frozen=True):
    """A table or view, as it was in the source and as it is in the target."""

    name: str
    source: Measure
    target: Measure | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One move, or the check before it. Without a comparison of any table nothing was written."""

    source: str
    target: str
    begun: str
    finished: str
    runs: int = 0
    tables: Sequence[Comparison] = ()
    views: Sequence[Comparison] = ()
    left: Sequence[str] = ()
    misfits: Sequence[Misfit] = ()

    @property
    def is_moved(self) -> bool:
        """Whether this is of a move, not of a check."""
        return self.runs > 0

    @property
    def is_equal(self) -> bool:
        """Whether everything was moved and found to be the same."""
        compared = [*self.tables, *self.views]
        return self.is_moved and all(each.source == each.target for each in compared)

    @property
    def count(self) -> int:
        """How many rows the source has."""
        return sum(table.source.count for table in self.tables)

    @property
    def seconds(self) -> float:
        """How long it took, with the pauses between its runs."""
        return (_moment(self.finished) - _moment(self.begun)).total_seconds()


def render_json(report: Report) -> str:
    """The report for programs."""
    told = msgspec.to_builtins(report) | {"equal": report.is_equal, "seconds": report.seconds}
    return msgspec.json.format(msgspec.json.encode(told)).decode() + "\n"


def render_text(report: Report) -> str:
    """The report for people."""
    return "\n".join(_lines(report)) + "\n"


def render_misfit(misfit: Misfit) -> str:
    """A misfit on one line."""
    place = " ".join(filter(None, [misfit.table, misfit.record, misfit.field]))
    return f"{place}: {misfit.value + ' ' if misfit.value else ''}{misfit.reason}"


def _lines(report: Report) -> Iterator[str]:
    yield f"From  {report.source}"
    yield f"To    {report.target}"
    yield f"Begun {report.begun}, ended {report.finished} ({report.seconds:.1f} s, {_runs(report)})"
    yield ""
    width = max((len(each.name) for each in [*report.tables, *report.views]), default=0)
    for table in report.tables:
        yield f"{table.name:{width}}  {table.source.count:>11,}  {table.source.hash}  {_verdict(table)}"
    for view in report.views:
        yield f"{view.name:{width}}  {view.source.count:>11,}  {'(a view: rows are counted)':64}  {_verdict(view)}"
    if report.left:
        yield f"\nNot moved, because they are no collections: {', '.join(report.left)}"
    if report.misfits:
        yield f"\n{_misfits(report)}:"
        yield from map(render_misfit, report.misfits)
    yield ""
    yield _conclusion(report)


def _misfits(report: Report) -> str:
    return "1 value does not fit" if len(report.misfits) == 1 else f"{len(report.misfits):,} values do not fit"


def _runs(report: Report) -> str:
    return "a check" if not report.is_moved else "one run" if report.runs == 1 else f"{report.runs} runs"


def _verdict(compared: Comparison) -> str:
    if compared.target is None:
        return ""
    if compared.target == compared.source:
        return "equal"
    return f"DIFFERENT: {compared.target.count:,} {compared.target.hash}"


def _conclusion(report: Report) -> str:
    if not report.is_moved:
        verdict = _misfits(report) if report.misfits else "everything fits"
        return f"{report.count:,} rows in {len(report.tables)} tables were checked: {verdict}. Nothing was written."
    if report.is_equal:
        return f"{report.count:,} rows in {len(report.tables)} tables were moved; both sides have the same content."
    return "THE TWO SIDES DIFFER. Do not use the target; keep this report."


def _moment(date: str) -> datetime:
    return datetime.fromisoformat(date.replace(" ", "T"))
