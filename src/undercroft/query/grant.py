"""What an API key lets its account do: everything, reading, or parts of collections.

A grant only ever narrows: what the account itself may not do, no scope allows. Collections stand in scopes
by their ids, so that a collection that gets another name is still the one that was meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from undercroft.collections.collection import Collection
from undercroft.errors import Forbidden

EVERYTHING: Final = "*"
READ: Final = "read"
Deed = Literal["read", "write"]


class ScopeMissing(Forbidden):
    """The API key has no scope that covers this, whatever its account may do."""

    code = "scope_missing"

    def __init__(self, scope: str) -> None:
        super().__init__(f"The API key lacks the scope {scope!r}.")


class NotWithKey(Forbidden):
    """What was asked for has to do with how accounts are reached, which no API key may change."""

    code = "not_with_key"
    default = "This has to do with how accounts are reached, and cannot be done with an API key. Please sign in."


@dataclass(frozen=True, slots=True)
class Grant:
    """The scopes of a key: `*`, `read`, or `COLLECTION_ID:read` and `COLLECTION_ID:write`.

    `key` is the id of the key, and `expires` when it ends, in seconds since 1970 (0 for never).
    """

    key: str
    scopes: frozenset[str]
    expires: float = 0.0

    @property
    def reach(self) -> frozenset[str] | None:
        """The ids of the collections whose records may be read; None for all."""
        if EVERYTHING in self.scopes or READ in self.scopes:
            return None
        return frozenset(scope.rpartition(":")[0] for scope in self.scopes)

    @property
    def can_write(self) -> bool:
        """Whether it may write anything at all."""
        return any(scope == EVERYTHING or scope.endswith(":write") for scope in self.scopes)

    def reads(self, collection_id: str) -> bool:
        """Whether records of a collection may be read."""
        return self.reach is None or collection_id in self.reach

    def writes(self, collection_id: str) -> bool:
        """Whether records of a collection may be written."""
        return EVERYTHING in self.scopes or f"{collection_id}:write" in self.scopes

    def check(self, collection: Collection, deed: Deed) -> None:
        """Raise `ScopeMissing` unless records of the collection may be read, or written.

        Raises `NotWithKey` where writing them would change how accounts are reached, as in the system's collections.
        """
        if deed == "write" and collection.system:
            raise NotWithKey
        if not (self.writes(collection.id) if deed == "write" else self.reads(collection.id)):
            raise ScopeMissing(f"{collection.name}:{deed}")

    def check_all(self, deed: Deed) -> None:
        """Raise `ScopeMissing` unless everything that the account may read, or do, is covered."""
        if EVERYTHING not in self.scopes and (deed == "write" or READ not in self.scopes):
            raise ScopeMissing(READ if deed == "read" else EVERYTHING)
