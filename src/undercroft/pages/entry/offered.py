"""Which ways in the accounts of a site have, for pages to show those and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from undercroft.api.auth.methods import render_providers
from undercroft.collections.collection import Collection
from undercroft.collections.options import AuthOptions
from undercroft.pages.answers import is_local
from undercroft.pages.controls import can_fill_in
from undercroft.pages.entry.entry import NEXT
from undercroft.records.reach import CollectionRecords

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest

_CALLED: Final = frozenset({"email", "name", "username"})
_LATER: Final = frozenset({"verified", "emailVisibility"})


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of a site: as `records` would find them, and how one comes to one."""

    records: CollectionRecords
    next: str = ""
    """Where the visitor wanted to go, as `?next=` says: a path of this site, or nothing."""

    @property
    def _collection(self) -> Collection:
        return self.records.collection

    @property
    def _options(self) -> AuthOptions:
        return self._collection.auth or AuthOptions()

    @property
    def has_passwords(self) -> bool:
        """Whether one signs in with a password."""
        return self._options.password_auth.enabled

    @property
    def has_codes(self) -> bool:
        """Whether one signs in with a code that comes by letter."""
        return self._options.otp.enabled

    @property
    def has_links(self) -> bool:
        """Whether one signs in with a link that comes by letter."""
        return self._options.magic_link.enabled

    @property
    def has_passkeys(self) -> bool:
        """Whether one signs in with a passkey."""
        return self._options.passkeys.enabled

    @property
    def has_authenticators(self) -> bool:
        """Whether one may have an authenticator app."""
        return self._options.totp.enabled

    @property
    def providers(self) -> Sequence[Mapping[str, str]]:
        """Where else one may have an account to sign in with: `name` and `displayName` of each."""
        return render_providers(self._options.oauth2)

    @property
    def has_sign_up(self) -> bool:
        """Whether strangers may make accounts. Their rule may still ask for something."""
        return self._collection.create_rule is not None and not self._collection.is_superusers

    @property
    def sign_up_fields(self) -> Sequence[str]:
        """What strangers are asked for: what must be there, how they are called, and a password."""
        asked = [each for each in self._collection.fields if can_fill_in(each) and each.name not in _LATER]
        return [*(each.name for each in asked if each.is_required or each.name in _CALLED), "password"]

    @property
    def is_verified_by_letter(self) -> bool:
        """Whether addresses are proven at all."""
        return not self._collection.is_superusers


def offered_names(collection: str, visit: PageRequest) -> Mapping[str, Any]:
    """`accounts`, for templates; none where the site has no such collection."""
    found = visit.http.backend.catalog.find(collection) if collection else None
    if found is None or not found.is_auth:
        return {"accounts": None}
    wanted = visit.query.get(NEXT, "")
    return {"accounts": Accounts(visit.records[found.name], wanted if is_local(wanted) else "")}
