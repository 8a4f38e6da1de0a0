"""What every operation on records needs at hand, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from undercroft.collections.catalog import Catalog
from undercroft.database.dialect import Dialect
from undercroft.query.plan import Plans
from undercroft.query.scope import Context, Scope
from undercroft.records.record import Run


@dataclass(frozen=True, slots=True)
class Access:
    """A way to run statements, the plans made so far, the catalog, and who asks."""

    run: Run
    plans: Plans
    catalog: Catalog
    scope: Scope

    @property
    def dialect(self) -> Dialect:
        return self.plans.dialect

    def within(self, context: Context) -> Access:
        """The same access in another context."""
        return Access(self.run, self.plans, self.catalog, self.scope.within(context))

    def through(self, run: Run) -> Access:
        """The same access through another way to run statements, such as an open transaction."""
        return Access(run, self.plans, self.catalog, self.scope)

    def asking(self, scope: Scope) -> Access:
        """The same access for another caller or request."""
        return Access(self.run, self.plans, self.catalog, scope)
