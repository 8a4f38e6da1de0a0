"""The tables a statement looks at: a root and the outer joins that paths need, each made once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import FromClause, TableClause, column, table
from sqlalchemy import true as sql_true
from sqlalchemy.sql.selectable import NamedFromClause

from undercroft.collections.collection import Collection
from undercroft.database.dialect import Expression, Kind


def collection_table(collection: Collection) -> TableClause:
    """The table of a collection, with its columns."""
    return table(collection.name, *(column(each.name, Kind(each.kind)) for each in collection.columns))


@dataclass(slots=True)
class Aliases:
    """Gives every table of a statement a name of its own."""

    count: int = 0

    def next(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def of(self, collection: Collection) -> NamedFromClause[Any]:
        """A fresh alias of a collection's table."""
        return collection_table(collection).alias(self.next())


Joined = TypeVar("Joined", bound=FromClause)


class Joins:
    """A root table with outer joins. Paths with the same beginning share the joined rows."""

    def __init__(self, root: FromClause) -> None:
        self.root = root
        self.rows: FromClause = root
        self.is_multiple = False
        self._made: dict[Hashable, FromClause] = {}

    @property
    def is_plain(self) -> bool:
        """Whether nothing was joined."""
        return not self._made

    def outer(
        self, key: Hashable, make: Callable[[], tuple[Joined, Expression | None]], *, is_multiple: bool
    ) -> Joined:
        """The joined table of that key, made and joined when it is first asked for."""
        if key not in self._made:
            joined, on = make()
            self.rows = self.rows.outerjoin(joined, sql_true() if on is None else on)
            self._made[key] = joined
            self.is_multiple = self.is_multiple or is_multiple
        found: Joined = self._made[key]  # type: ignore[assignment]  # a key always makes the same kind of table
        return found
