"""From the Authorization header to the caller: with one point query for a token, with two for an API key."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from undercroft.auth import tokens
from undercroft.auth.accounts import Accounts, find_auth_collection
from undercroft.auth.api_keys import PREFIX, find_by_key
from undercroft.auth.logins import Ended
from undercroft.auth.standing import grant_of, still_stands
from undercroft.auth.tokens import Kind
from undercroft.query.scope import Identity
from undercroft.records.record import find_record


class Entrances(Accounts, Protocol):
    """Where accounts are found, and which of their log-ins were ended."""

    @property
    def ended(self) -> Ended: ...


async def identify(accounts: Entrances, authorization: str) -> Identity | None:
    """Who the header speaks for, read anew on every request; None is a guest.

    A token that does not verify, or a key that is none, makes a guest, whatever is wrong with it.
    """
    value = read_header(authorization)
    if value.startswith(PREFIX):
        return await find_by_key(accounts, value)
    return await identify_by(accounts, value, "auth")


async def identify_by(accounts: Entrances, token: str, kind: Kind) -> Identity | None:
    """Who a token of one kind speaks for; None when it is of another, or not good."""
    claims = tokens.read_claims(token)
    if claims is None or claims.type != kind or accounts.ended.has(claims):
        return None
    collection = find_auth_collection(accounts.catalog, claims.collection_id)
    if collection is None:
        return None
    engine = accounts.engine
    record = await find_record(engine.read, engine.dialect, collection, {"id": claims.id})
    if record is None or not tokens.verify(token, collection, record, kind):
        return None
    identity = Identity(collection, record)
    return identity if not claims.under else await _narrowed(accounts, identity, claims.under)


async def _narrowed(accounts: Accounts, identity: Identity, under: str) -> Identity | None:
    """Who came with a token that was had with a session or an API key: it is worth no more, and lasts no longer."""
    if not await still_stands(accounts.engine, under):
        return None
    grant = await grant_of(accounts.engine, identity, under)
    return replace(identity, grant=grant) if grant is not None or not under.startswith(PREFIX) else None


def read_header(authorization: str) -> str:
    """The token or key in an Authorization header: as it is, or after `Bearer ` in any letter case."""
    return authorization[7:] if authorization[:7].lower() == "bearer " else authorization
