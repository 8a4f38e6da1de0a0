"""Counting and summing records as a caller may list them."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import msgspec

from undercroft.collections.collection import Collection
from undercroft.database.engine import Row, Value
from undercroft.query.aggregate import Sums, field_at, parse_keys, parse_measures, plan_sums
from undercroft.query.plan import Plan
from undercroft.query.sort import parse_sort
from undercroft.records.access import LONG_SHAPE, Access
from undercroft.records.read import Asked, ListParams, guard


@dataclass(frozen=True, slots=True)
class SumParams:
    """What is to be summed: `fields` and `group_by` as they came; of the list, its filter, sort and page."""

    fields: str
    group_by: str
    listed: ListParams


class SumPage(msgspec.Struct, frozen=True, rename="camel"):
    """A page of groups, each an object with its keys and the outcome of each function."""

    items: Sequence[dict[str, Any]]
    page: int
    per_page: int
    total_items: int
    total_pages: int


async def sum_records(access: Access, collection: Collection, params: SumParams) -> SumPage:
    """Sum up the records the caller may list.

    Raises `SuperusersOnly`, `SuperuserFilter`, `FilterError`, `SortError` and `AggregateError`.
    """
    rule, listed = guard("list", collection, access.scope), params.listed
    asked = Asked(listed, access.scope)
    measures, keys = parse_measures(params.fields), parse_keys(params.group_by)
    sums = Sums(collection.id, rule, asked.shape, measures, keys, parse_sort(listed.sort))
    plan = await asked.reporting(_plan(access, sums))
    rows = await _run(access, plan, asked, listed.page, listed.per_page)
    total = _total(rows)
    if not rows and listed.page > 1:
        total = _total(await _run(access, plan, asked, 1, 1))
    shown = _showers(access, collection, sums)
    items = [{name: show(value) for (name, show), value in zip(shown, row, strict=False)} for row in rows]
    return SumPage(items, listed.page, listed.per_page, total, -(-total // listed.per_page))


async def _plan(access: Access, sums: Sums) -> Plan:
    if sums.shape is None or len(sums.shape) <= LONG_SHAPE:
        return plan_sums(access.plans, access.catalog, sums, access.scope)
    # A long filter takes long to compile.
    return await to_thread(plan_sums, access.plans, access.catalog, sums, access.scope)


async def _run(access: Access, plan: Plan, asked: Asked, page: int, per_page: int) -> list[Row]:
    limits: dict[str, Value] = {"limit": per_page, "offset": (page - 1) * per_page}
    return await access.run(plan.sql, plan.values(access.scope, asked.literals, limits))


def _showers(access: Access, collection: Collection, sums: Sums) -> list[tuple[str, Callable[[Value], Any]]]:
    """For each column its name, and what makes of its value what the caller gets."""
    found: list[tuple[str, Callable[[Value], Any]]] = []
    for key in sums.keys:
        field = field_at(access.catalog, collection, key.path)
        found.append((key.name, _show_unit if key.unit or field is None else field.from_column))
    for measure in sums.measures:
        field = field_at(access.catalog, collection, measure.path) if measure.path else None
        if field is not None and field.column == "date":
            found.append((measure.name, field.from_column))
        else:
            found.append((measure.name, _show_total if measure.function == "sum" else _show_number))
    return found


def _total(rows: Sequence[Row]) -> int:
    return int(rows[0][-1] or 0) if rows else 0


def _show_unit(value: Value) -> Any:
    """A moment cut to its unit; empty where there is none."""
    return value or ""


def _show_total(value: Value) -> Any:
    return 0 if value is None else _show_number(value)


def _show_number(value: Value) -> Any:
    return _round(value) if isinstance(value, float) else value


def _round(value: float) -> float | None:
    """A number without what adding up in another order would change; None when it has become too large for any."""
    if not isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else float(f"{value:.15g}")
