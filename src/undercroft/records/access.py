"""What every operation on records needs at hand, as one value."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from undercroft.collections.catalog import Catalog
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine
from undercroft.query.plan import Plan, Plans
from undercroft.query.scope import Context, Scope, system_scope
from undercroft.query.selects import Question, make_plan, plan_for
from undercroft.records.codec import codec_of
from undercroft.records.loaded import Reader
from undercroft.records.record import Run

ReaderOf = Callable[..., Reader]
"""Like `records.codec.codec_of`: a collection, its columns, and the plain keys if not all of them."""
LONG_SHAPE: Final = 300  # characters: about ten comparisons, or ten milliseconds


class Data(Protocol):
    """Whatever holds records: an open backend does."""

    @property
    def engine(self) -> Engine: ...

    @property
    def plans(self) -> Plans: ...

    @property
    def catalog(self) -> Catalog: ...


@dataclass(frozen=True, slots=True)
class Access:
    """A way to run statements, the plans made so far, the catalog, who asks, and what records are made of rows."""

    run: Run
    plans: Plans
    catalog: Catalog
    scope: Scope
    reader_of: ReaderOf = codec_of

    @classmethod
    def of(cls, data: Data, scope: Scope, reader_of: ReaderOf = codec_of) -> Access:
        """Who asks, outside any transaction."""
        return cls(data.engine.read, data.plans, data.catalog, scope, reader_of)

    @classmethod
    def of_system(cls, data: Data) -> Access:
        """The house's own, bound by no rule, outside any transaction."""
        return cls.of(data, system_scope(data.catalog))

    @property
    def dialect(self) -> Dialect:
        return self.plans.dialect

    async def plan(self, question: Question) -> Plan:
        """The plan of a question; a long filter, which takes long to compile, is compiled on a thread.

        Raises `FilterError` and `SortError`. Not for use inside a write's operation.
        """
        if question.shape is None or len(question.shape) <= LONG_SHAPE:
            return plan_for(self.plans, self.catalog, question, self.scope)
        plan = self.plans.find(self.catalog, question, self.scope)
        if plan is None:
            made = await to_thread(make_plan, self.catalog, self.dialect, question, self.scope)
            plan = self.plans.keep(self.catalog, question, self.scope, made)
        return plan

    def within(self, context: Context) -> Access:
        """The same access in another context."""
        return Access(self.run, self.plans, self.catalog, self.scope.within(context), self.reader_of)

    def through(self, run: Run) -> Access:
        """The same access through another way to run statements, such as an open transaction."""
        return Access(run, self.plans, self.catalog, self.scope, self.reader_of)

    def asking(self, scope: Scope) -> Access:
        """The same access for another caller or request."""
        return Access(self.run, self.plans, self.catalog, scope, self.reader_of)
