"""Plans: one statement for each kind of question, cached by shape.

A plan holds SQL text, where each of its bound values comes from, and which columns
come out. It is cached under everything that its text depends on: the catalog's
version, the collection, the question, the rule, the filter's shape, the sort,
the kind of caller, what an API key narrows it to, and what it looked at in the request (whether a value was
null, empty, a number or a text). Values themselves are bound at every run.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from undercroft.collections.catalog import Catalog
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Value
from undercroft.query.binds import Inputs, Source
from undercroft.query.build import Look
from undercroft.query.scope import Scope

MAX_PLANS = 2000
MAX_VARIANTS = 32


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement ready to run. `columns` are the names of what it selects, in order."""

    sql: str
    sources: tuple[Source, ...]
    columns: tuple[str, ...]
    looks: tuple[Look, ...]

    def values(
        self, scope: Scope, literals: Sequence[str | float] = (), named: Mapping[str, Value] | None = None
    ) -> list[Value]:
        """The bound values for one run."""
        inputs = Inputs(scope, literals, named or {})
        return [source(inputs) for source in self.sources]

    def fits(self, scope: Scope) -> bool:
        """Whether what the plan looked at in its request is the same in this one."""
        return all(look.holds(scope) for look in self.looks)


def _key(catalog: Catalog, question: Hashable, scope: Scope) -> Hashable:
    identity = scope.identity
    if identity is None:
        return catalog.version, question, None
    return catalog.version, question, identity.collection.id, identity.reach


class Plans:
    """The plans made so far."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._plans: dict[Hashable, list[Plan]] = {}
        self._texts: dict[Hashable, str] = {}

    def find(self, catalog: Catalog, question: Hashable, scope: Scope) -> Plan | None:
        """The plan for a question that fits a request, if there is one."""
        for plan in self._plans.get(_key(catalog, question, scope), ()):
            if plan.fits(scope):
                return plan
        return None

    def keep(self, catalog: Catalog, question: Hashable, scope: Scope, plan: Plan) -> Plan:
        """Remember a plan that was just made, and return it."""
        if len(self._plans) >= MAX_PLANS:
            self._plans.clear()
        variants = self._plans.setdefault(_key(catalog, question, scope), [])
        if len(variants) >= MAX_VARIANTS:
            variants.pop(0)
        variants.append(plan)
        return plan

    def text(self, key: Hashable, make: Callable[[], str]) -> str:
        """SQL text that depends on nothing but its key, made once."""
        if key not in self._texts:
            if len(self._texts) >= MAX_PLANS:
                self._texts.clear()
            self._texts[key] = make()
        return self._texts[key]
