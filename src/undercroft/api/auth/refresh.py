"""POST auth-refresh."""

from __future__ import annotations

from undercroft.api.auth.context import answer, auth_collection, check_auth_rule, device_of, login_token, new_token
from undercroft.auth.identify import read_header
from undercroft.auth.logins import Login, login_of, renew_login
from undercroft.auth.tokens import read_claims
from undercroft.errors import Forbidden, Unauthenticated
from undercroft.http.body import DEFAULT_LIMIT
from undercroft.http.request import Request
from undercroft.http.response import Response
from undercroft.query.scope import Identity


class WrongCollection(Forbidden):
    """The caller has an account, but in another collection."""

    code = "wrong_auth_collection"

    def __init__(self, name: str) -> None:
        super().__init__(f"The request requires auth record from {name} collection.")


async def handler(request: Request) -> Response:
    """The caller's account, and a token that lasts anew; a token that may not be renewed comes back as it is."""
    collection, identity = auth_collection(request), request.identity
    if identity is None:
        raise Unauthenticated
    if identity.collection.id != collection.id:
        raise WrongCollection(identity.collection.name)
    await request.body(DEFAULT_LIMIT)
    await check_auth_rule(request, identity, "default")
    response = await answer(request, identity, _next_token(request, identity))
    login = _login(request)
    if login is not None:
        await renew_login(request.backend.engine, identity, login, device_of(request))
    return response


def _next_token(request: Request, identity: Identity) -> str:
    present, login = _present(request), _login(request)
    claims = read_claims(present)
    if claims is None or not claims.refreshable:
        return present
    return login_token(identity, login) if login is not None else new_token(identity, refreshable=True)


def _login(request: Request) -> Login | None:
    claims = read_claims(_present(request))
    return login_of(claims) if claims is not None else None


def _present(request: Request) -> str:
    return read_header((request.header(b"authorization") or b"").decode("latin-1"))
