"""Asking a rule about one record, and reading a rule before it is saved."""

from __future__ import annotations

from collections.abc import Mapping

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Value
from undercroft.query.errors import FilterError, SortError
from undercroft.query.scope import GUEST
from undercroft.query.selects import Question, make_plan, plan_for
from undercroft.records.access import Access


async def satisfies(access: Access, collection: Collection, rule: str | None, record_id: str) -> bool:
    """Whether a stored record satisfies a rule: the null rule never does, the empty one always."""
    if not rule:
        return rule is not None
    plan = plan_for(access.plans, access.catalog, Question("test", collection.id, rule), access.scope)
    return bool(await access.run(plan.sql, plan.values(access.scope, (), {"id": record_id})))


async def draft_satisfies(
    access: Access, collection: Collection, rule: str | None, columns: Mapping[str, Value]
) -> bool:
    """Whether a record that is not stored yet satisfies a rule; `columns` has a value for each field."""
    if not rule:
        return rule is not None
    plan = plan_for(access.plans, access.catalog, Question("draft", collection.id, rule), access.scope)
    return bool(await access.run(plan.sql, plan.values(access.scope, (), columns)))


def check_rule(collection: Collection, rule: str, catalog: Catalog, dialect: Dialect) -> str | None:
    """Why a rule cannot work for a collection of that catalog, in a sentence; None when it can."""
    try:
        make_plan(catalog, dialect, Question("test", collection.id, rule), GUEST)
    except (FilterError, SortError) as error:
        return error.message()
    return None
