"""Who asks, and with what: the argument every rule is judged with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.query.grant import Grant

Ordinary = Literal["default", "expand", "realtime", "protectedFile", "batch"]
Method = Literal["password", "oauth2", "otp", "magicLink", "passkey", "totp", "invitation"]
"""The ways of proving who one is."""
Context = Ordinary | Method


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller who is known: an auth record with all its stored values, hidden ones included.

    Who comes with an API key may do no more than its `grant` covers.
    """

    collection: Collection
    record: Mapping[str, Any]
    grant: Grant | None = None

    @property
    def id(self) -> str:
        record_id: str = self.record["id"]
        return record_id

    @property
    def is_superuser(self) -> bool:
        return self.collection.is_superusers

    @property
    def reach(self) -> frozenset[str] | None:
        """The ids of the collections whose records a key lets the caller read; None where none narrows that."""
        return self.grant.reach if self.grant is not None else None


@dataclass(frozen=True, slots=True)
class Scope:
    """A caller and the request they make, as rules see it.

    `body` holds the submitted data after casting and modifiers, unknown keys as they
    came; `headers` has names in snake case; `query` has the first value of each name.
    """

    identity: Identity | None = None
    context: Context = "default"
    method: str = "GET"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_superuser(self) -> bool:
        return self.identity is not None and self.identity.is_superuser

    def within(self, context: Context) -> Scope:
        """The same caller in another context."""
        return replace(self, context=context)


GUEST = Scope()


def system_scope(catalog: Catalog) -> Scope:
    """The scope of whoever runs the program: no rule binds them."""
    return Scope(identity=Identity(catalog.superusers, {"id": ""}))
