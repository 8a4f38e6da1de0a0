"""What the compilation of one statement shares: catalog, dialect, joins, bound values, and what it looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import FromClause
from sqlalchemy.sql.selectable import NamedFromClause

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.dialect import Dialect, Expression
from undercroft.query.binds import Binds
from undercroft.query.grant import ScopeMissing
from undercroft.query.joins import Aliases, Joins
from undercroft.query.request import State, request_value, state_of
from undercroft.query.scope import Scope


@dataclass(frozen=True, slots=True)
class Look:
    """A request value that a plan depends on, and what it was when the plan was made."""

    path: tuple[str, ...]
    state: State

    def holds(self, scope: Scope) -> bool:
        """Whether the plan fits another request as well."""
        return state_of(request_value(self.path, scope)) == self.state


@dataclass(slots=True)
class Build:
    """One statement in the making.

    `conditions` collects what must hold for the whole statement because of a path
    somewhere in it: the list rules of related collections, once for each joined
    table; `ruled` has the names of those. `reach` has the ids of the collections
    that the text may lead into, None for all.
    """

    catalog: Catalog
    dialect: Dialect
    scope: Scope
    joins: Joins
    binds: Binds = field(default_factory=Binds)
    aliases: Aliases = field(default_factory=Aliases)
    conditions: list[Expression] = field(default_factory=list)
    looks: set[Look] = field(default_factory=set)
    ruled: set[str] = field(default_factory=set)
    reach: frozenset[str] | None = None

    def beside(self, root: FromClause) -> Build:
        """A build for a subquery: its own joins and conditions, everything else shared."""
        return replace(self, joins=Joins(root), conditions=[])

    def within(self, reach: frozenset[str] | None) -> Build:
        """The same build, for a text that may lead into other collections than the rest."""
        return self if reach == self.reach else replace(self, reach=reach)

    def enter(self, collection: Collection) -> None:
        """Raise `ScopeMissing` where the caller's text leads into a collection that their API key does not cover."""
        if self.reach is not None and collection.id not in self.reach:
            raise ScopeMissing(f"{collection.name}:read")

    def state(self, path: Sequence[str]) -> State:
        """What a request value is now; remembered as a dependency of the plan."""
        state = state_of(request_value(path, self.scope))
        self.looks.add(Look(tuple(path), state))
        return state

    def auth_collection(self) -> Collection | None:
        """The collection of the caller's record. Plans are kept apart by it."""
        return self.scope.identity.collection if self.scope.identity else None


@dataclass(frozen=True, slots=True)
class Place:
    """A collection and the alias its rows go by: where a path stands."""

    collection: Collection
    table: NamedFromClause[Any]

    def column(self, name: str) -> Expression:
        """A column of the rows."""
        found: Any = self.table.c[name]
        expression: Expression = found
        return expression

    def anew(self, name: str) -> Place:
        """The same rows once more, under another alias."""
        aliased: Any = self.table  # an alias of a table or of a CTE; both keep it as `element`
        return Place(self.collection, aliased.element.alias(name))
