"""Explaining an answer: what ran, how long it took, and why each record was shown or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import msgspec

from undercroft.collections.collection import Action, Collection
from undercroft.database.engine import Row, Value
from undercroft.query.errors import FilterError
from undercroft.query.explain import rule_parts
from undercroft.records.access import Access
from undercroft.records.record import Run


@dataclass(frozen=True, slots=True)
class Ran:
    """One statement that ran."""

    sql: str
    values: Sequence[Value]
    rows: int
    milliseconds: float


@dataclass(slots=True)
class Recorder:
    """Runs statements and remembers them; `stages` are milliseconds by name, in the order they ended."""

    inner: Run
    ran: list[Ran] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=perf_counter)

    async def run(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run a statement and note it down."""
        began = perf_counter()
        rows = await self.inner(sql, values)
        self.ran.append(Ran(sql, values, len(rows), _since(began)))
        return rows

    def lap(self, name: str) -> None:
        """End a stage."""
        self.stages[name] = _since(self.began)
        self.began = perf_counter()


async def explain_answer(
    access: Access, action: Action, collection: Collection, ids: Sequence[str], recorder: Recorder
) -> dict[str, Any]:
    """Why these records were answered so, as a JSON value. `access.run` is not recorded."""
    rule = collection.rule(action)
    return {
        "caller": _caller(access),
        "action": action,
        "rule": rule,
        "verdict": _verdict(access, rule),
        **await _judge(access, collection, rule, ids),
        "statements": [await _statement(access, ran) for ran in recorder.ran],
        "milliseconds": _stages(recorder),
    }


async def _judge(access: Access, collection: Collection, rule: str | None, ids: Sequence[str]) -> dict[str, Any]:
    """The parts of the rule, and for each record which of them held."""
    if not rule:
        return {"parts": [], "records": {}}
    try:
        parts = rule_parts(access.catalog, access.dialect, collection, rule, access.scope)
    except FilterError as error:
        return {"parts": [], "records": {}, "broken": error.message()}
    named: dict[str, Value] = {"ids": msgspec.json.encode(list(ids)).decode()}
    rows = await access.run(parts.plan.sql, parts.plan.values(access.scope, (), named))
    records: dict[str, Any] = {record_id: {"exists": False} for record_id in ids}
    for row in rows:
        held = [bool(value) for value in row[2:]]
        records[str(row[0])] = {"exists": True, "holds": bool(row[1]), "parts": held}
    return {"parts": list(parts.texts), "records": records}


async def _statement(access: Access, ran: Ran) -> dict[str, Any]:
    rows = await access.run(access.dialect.explain(ran.sql), ran.values)
    return {
        "sql": ran.sql,
        "parameters": ["?" if isinstance(value, bytes) else value for value in ran.values],
        "rows": ran.rows,
        "milliseconds": ran.milliseconds,
        "plan": access.dialect.plan_lines(rows),
    }


def _stages(recorder: Recorder) -> dict[str, float]:
    """Milliseconds by stage. `answer` is all but encoding; `plan` what of it no statement took."""
    statements = round(sum(ran.milliseconds for ran in recorder.ran), 3)
    plan = round(max(recorder.stages.get("answer", 0.0) - statements, 0.0), 3)
    return {"plan": plan, "statements": statements, **recorder.stages}


def _caller(access: Access) -> str:
    identity = access.scope.identity
    return f"{identity.collection.name}/{identity.id}" if identity else "guest"


def _verdict(access: Access, rule: str | None) -> str:
    if access.scope.is_superuser:
        return "Superusers are not asked for a rule."
    if rule is None:
        return "The rule is null: only superusers may do this."
    return "The rule decides for each record." if rule else "The rule is empty: everyone may do this."


def _since(began: float) -> float:
    return round((perf_counter() - began) * 1000, 3)
