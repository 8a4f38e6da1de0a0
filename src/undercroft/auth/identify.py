"""From the Authorization header to the caller: with one point query for a token, with two for an API key.

Where an auth rule lets in not everybody, a key takes one more, to ask it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from undercroft.auth import tokens
from undercroft.auth.accounts import Accounts, find_auth_collection, is_let_in
from undercroft.auth.api_keys import PREFIX, find_by_key
from undercroft.auth.logins import Ended
from undercroft.auth.standing import grant_of, still_stands
from undercroft.auth.tokens import Kind
from undercroft.query.plan import Plans
from undercroft.query.scope import GUEST, Identity, Scope
from undercroft.records.access import Access
from undercroft.records.record import find_identity


class Entrances(Accounts, Protocol):
    """Where accounts are found, rules are asked, and which log-ins were ended."""

    @property
    def plans(self) -> Plans: ...

    @property
    def ended(self) -> Ended: ...


Asking = Callable[[], Scope]
"""What gives the request as of a guest, with which a rule about who may come in is asked."""


def _no_request() -> Scope:
    return GUEST


async def identify(accounts: Entrances, authorization: str, asking: Asking = _no_request) -> Identity | None:
    """Who the header speaks for, read anew on every request; None is a guest.

    A token that does not verify, or a key that is none, makes a guest, whatever is wrong with it.
    """
    value = read_header(authorization)
    if value.startswith(PREFIX):
        account = await find_by_key(accounts, value)
        return await _while_let_in(accounts, account, asking) if account is not None else None
    return await identify_by(accounts, value, "auth", asking)


async def identify_by(accounts: Entrances, token: str, kind: Kind, asking: Asking = _no_request) -> Identity | None:
    """Who a token of one kind speaks for; None when it is of another, or not good."""
    claims = tokens.read_claims(token)
    if claims is None or claims.type != kind or accounts.ended.has(claims):
        return None
    collection = find_auth_collection(accounts.catalog, claims.collection_id)
    if collection is None:
        return None
    engine = accounts.engine
    identity = await find_identity(engine.read, engine.dialect, collection, {"id": claims.id})
    if identity is None or not tokens.verify(token, collection, identity.record, kind):
        return None
    return identity if not claims.under else await _narrowed(accounts, identity, claims.under, asking)


async def _narrowed(accounts: Entrances, identity: Identity, under: str, asking: Asking) -> Identity | None:
    """Who came with a token that was had with a session or an API key: it is worth no more, and lasts no longer."""
    if not await still_stands(accounts.engine, under):
        return None
    if not under.startswith(PREFIX):
        return identity
    grant = await grant_of(accounts.engine, identity, under)
    return await _while_let_in(accounts, replace(identity, grant=grant), asking) if grant is not None else None


async def _while_let_in(accounts: Entrances, account: Identity, asking: Asking) -> Identity | None:
    """An account with a key, which has no log-in at which the rule of its collection would be asked."""
    access = Access.of(accounts, asking())
    return account if await is_let_in(access, account) else None


def read_header(authorization: str) -> str:
    """The token or key in an Authorization header: as it is, or after `Bearer ` in any letter case."""
    return authorization[7:] if authorization[:7].lower() == "bearer " else authorization
