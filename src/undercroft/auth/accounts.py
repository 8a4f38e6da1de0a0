"""Where accounts are found."""

from __future__ import annotations

from typing import Protocol

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.engine import Engine


class Accounts(Protocol):
    """Where accounts are found: what a backend has of one."""

    @property
    def engine(self) -> Engine: ...

    @property
    def catalog(self) -> Catalog: ...


def find_auth_collection(catalog: Catalog, collection_id: str) -> Collection | None:
    """The auth collection with that id; a name does not do."""
    found = catalog.find(collection_id)
    return found if found is not None and found.is_auth and found.id == collection_id else None
