"""A change of a collection that somebody wants, with what is needed to judge it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection

RuleCheck = Callable[[Collection, str, Catalog], str | None]
"""Why a rule text cannot be used for a collection, or None."""


@dataclass(frozen=True, slots=True)
class Change:
    """A collection as it is to be (`new`) and as it stands (`old`, None when it is created).

    `catalog` is the whole catalog as it is to be; `tables` are the names of tables
    that are no collections, in lower case; `view_error` says what is wrong with the
    query of a view.
    """

    new: Collection
    old: Collection | None
    catalog: Catalog
    check_rule: RuleCheck
    tables: frozenset[str] = field(default_factory=frozenset)
    view_error: str = ""

    @property
    def others(self) -> Iterable[Collection]:
        """Every collection of the catalog but this one."""
        return (other for other in self.catalog if other.id != self.new.id)
