"""The catalog: all collections at one moment, immutable, swapped whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from undercroft.collections.cipher import Keys, equip
from undercroft.collections.collection import SUPERUSERS, Collection
from undercroft.errors import NotFound


class UnknownCollection(NotFound):
    """No collection has that name or id."""

    code = "unknown_collection"
    default = "Missing collection context."


class Catalog:
    """All collections at one moment. `version` grows with every change; `keys` open what is encrypted."""

    def __init__(self, collections: Iterable[Collection] = (), version: int = 0, keys: Keys | None = None) -> None:
        self.version = version
        self.keys = keys
        self._by_id = {collection.id: collection for collection in collections}
        self._by_name = {collection.name.lower(): collection for collection in self._by_id.values()}
        if keys is not None:
            for collection in self._by_id.values():
                equip(collection, keys)

    def __iter__(self) -> Iterator[Collection]:
        return iter(self._by_id.values())

    def find(self, name_or_id: str) -> Collection | None:
        """The collection with that id, or that name in any letter case."""
        return self._by_id.get(name_or_id) or self._by_name.get(name_or_id.lower())

    def by_name(self, name: str) -> Collection | None:
        """The collection with that name in any letter case."""
        return self._by_name.get(name.lower())

    def put(self, *collections: Collection) -> Catalog:
        """A catalog in which these collections take the place of those with their ids."""
        known = self._by_id | {collection.id: collection for collection in collections}
        return Catalog(known.values(), self.version, self.keys)

    def without(self, *collection_ids: str) -> Catalog:
        """A catalog without the collections of these ids."""
        return Catalog((kept for kept in self if kept.id not in collection_ids), self.version, self.keys)

    def collection(self, name_or_id: str) -> Collection:
        """Like `find`; raises `UnknownCollection` when there is none."""
        found = self.find(name_or_id)
        if found is None:
            raise UnknownCollection
        return found

    @cached_property
    def superusers(self) -> Collection:
        """The collection of superusers."""
        return self.collection(SUPERUSERS)


class CatalogHolder:
    """Where the current catalog is kept, so that it can be swapped whole."""

    def __init__(self, catalog: Catalog | None = None) -> None:
        self.current = catalog or Catalog()

    def swap(self, catalog: Catalog) -> None:
        """Make a catalog the current one, unless that is newer."""
        if catalog.version >= self.current.version:
            self.current = catalog
