"""Whose account it is about: one's own, or any for superusers; and whether somebody signed in just now."""

from __future__ import annotations

import time
from typing import Final

from undercroft.api.auth.refresh import WrongCollection
from undercroft.auth import api_keys, logins
from undercroft.auth.accounts import account_of
from undercroft.auth.identify import read_header
from undercroft.auth.logins import login_of
from undercroft.auth.sessions import session_began, session_key
from undercroft.auth.tokens import Claims, read_claims
from undercroft.collections.collection import Collection
from undercroft.errors import Forbidden, Unauthenticated
from undercroft.http.request import Request
from undercroft.middleware.authenticate import session_value
from undercroft.query.scope import Identity

FRESH_SECONDS: Final = 600


class SignInAgain(Forbidden):
    """What was asked for changes how the account is reached, and the caller signed in too long ago for that."""

    code = "sign_in_again"
    default = "This changes how the account is reached. Please sign in again first."


def caller(request: Request) -> Identity:
    """Whoever asks. Raises `Unauthenticated` for a guest."""
    if request.identity is None:
        raise Unauthenticated
    return request.identity


def own_account(request: Request, collection: Collection) -> Identity:
    """The caller's account. Raises `Unauthenticated`, and `WrongCollection` when it is in another collection."""
    identity = caller(request)
    if identity.collection.id != collection.id:
        raise WrongCollection(identity.collection.name)
    return identity


async def account_meant(request: Request, collection: Collection) -> Identity:
    """The caller's account, or the one that a superuser names with `?record=ID`.

    Raises what `own_account` raises, and `NotFound`.
    """
    named = request.query.get("record", "")
    if not named or request.identity is None or not request.identity.is_superuser:
        return own_account(request, collection)
    return await account_of(request.backend, collection, named)


async def check_fresh(request: Request) -> None:
    """Raise `SignInAgain` unless the caller signed in within the last ten minutes, and did so by themselves."""
    if time.time() - await _signed_in_at(request) > FRESH_SECONDS:
        raise SignInAgain


async def _signed_in_at(request: Request) -> float:
    if not request.header(b"authorization"):
        return await session_began(request.backend.engine, session_value(request))
    claims = claims_of(request)
    return float(claims.iat or 0) if claims else 0.0


def session_of(request: Request) -> str:
    """What the caller's session is kept under; empty for who came with a token."""
    return "" if request.header(b"authorization") else session_key(session_value(request))


def claims_of(request: Request) -> Claims | None:
    """What the caller's token says; None for who came without one."""
    header = request.header(b"authorization")
    return read_claims(read_header(header.decode("latin-1"))) if header and request.identity is not None else None


def came_with(request: Request) -> str:
    """What stands for the caller as long as nobody ends it: a session, a log-in, or an API key.

    Empty for guests, and for tokens that came from no log-in of the account.
    """
    identity = request.identity
    if identity is None:
        return ""
    if identity.grant is not None:
        return f"{api_keys.PREFIX}{identity.grant.key}"
    claims = claims_of(request)
    if claims is None:
        return session_of(request)
    login = login_of(claims)
    return f"{logins.PREFIX}{login.id}" if login is not None else ""


def own_name(request: Request) -> str:
    """What the caller's own things are marked with; empty for superusers, who see all. Raises `Unauthenticated`."""
    identity = caller(request)
    return "" if identity.is_superuser else f"{identity.collection.id}/{identity.id}"
