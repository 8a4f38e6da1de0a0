"""From the Authorization header to the caller, with one point query."""

from __future__ import annotations

from typing import Protocol

from undercroft.auth import tokens
from undercroft.auth.tokens import Kind
from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.engine import Engine
from undercroft.query.scope import Identity
from undercroft.records.record import find_record


class Accounts(Protocol):
    """Where accounts are found: what a backend has of one."""

    @property
    def engine(self) -> Engine: ...

    @property
    def catalog(self) -> Catalog: ...


async def identify(accounts: Accounts, authorization: str) -> Identity | None:
    """Who the header speaks for, read anew on every request; None is a guest.

    A token that does not verify makes a guest, whatever is wrong with it.
    """
    return await identify_by(accounts, read_header(authorization), "auth")


async def identify_by(accounts: Accounts, token: str, kind: Kind) -> Identity | None:
    """Who a token of one kind speaks for; None when it is of another, or not good."""
    claims = tokens.read_claims(token)
    if claims is None or claims.type != kind:
        return None
    collection = find_auth_collection(accounts.catalog, claims.collection_id)
    if collection is None:
        return None
    engine = accounts.engine
    record = await find_record(engine.read, engine.dialect, collection, {"id": claims.id})
    if record is None or not tokens.verify(token, collection, record, kind):
        return None
    return Identity(collection, record)


def read_header(authorization: str) -> str:
    """The token in an Authorization header: as it is, or after `Bearer ` in any letter case."""
    return authorization[7:] if authorization[:7].lower() == "bearer " else authorization


def find_auth_collection(catalog: Catalog, collection_id: str) -> Collection | None:
    """The auth collection with that id; a name does not do."""
    found = catalog.find(collection_id)
    return found if found is not None and found.is_auth and found.id == collection_id else None
