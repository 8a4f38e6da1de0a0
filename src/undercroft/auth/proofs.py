"""Tokens that come back from letters: whose they are, and whether to believe them."""

from __future__ import annotations

from typing import Final

from undercroft.auth import tokens
from undercroft.auth.accounts import Accounts, find_auth_collection
from undercroft.collections.collection import Collection
from undercroft.errors import FieldError, Invalid
from undercroft.query.scope import Identity
from undercroft.records.record import Run, find_identity

INVALID_TOKEN: Final = FieldError("validation_invalid_token", "Invalid or expired token.")
WRONG_COLLECTION: Final = FieldError(
    "validation_token_collection_mismatch", "The provided token is for different auth collection."
)


class TokenRefused(Invalid):
    """The token of a letter has expired, was used, or never was one."""

    code = "token_refused"

    def __init__(self, error: FieldError = INVALID_TOKEN) -> None:
        super().__init__({"token": error})
        self.error = error


async def find_proven(backend: Accounts, collection: Collection, token: str, kind: tokens.Kind) -> Identity:
    """Whose token of that kind it is. Raises `TokenRefused` when it is not good, or of another collection."""
    claims = tokens.read_claims(token)
    home = find_auth_collection(backend.catalog, claims.collection_id) if claims is not None else None
    if claims is None or home is None:
        raise TokenRefused
    account = await _believe(backend.engine.read, backend, home, token, kind)
    if account is None or account.record["email"] != claims.email:
        raise TokenRefused
    if home.id != collection.id:
        raise TokenRefused(WRONG_COLLECTION)
    return account


async def still_proven(run: Run, backend: Accounts, account: Identity, token: str, kind: tokens.Kind) -> None:
    """Ask once more inside a transaction, so that of many who come with one token at once one gets through.

    Raises `TokenRefused`.
    """
    if await _believe(run, backend, account.collection, token, kind) is None:
        raise TokenRefused


async def _believe(run: Run, backend: Accounts, home: Collection, token: str, kind: tokens.Kind) -> Identity | None:
    claims = tokens.read_claims(token)
    if claims is None:
        return None
    account = await find_identity(run, backend.engine.dialect, home, {"id": claims.id})
    is_good = account is not None and tokens.verify(token, home, account.record, kind)
    return account if is_good else None
