"""POST auth-refresh."""

from __future__ import annotations

from undercroft.api.auth.context import answer, auth_collection, check_auth_rule, new_token
from undercroft.auth.identify import read_header
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
    return await answer(request, identity, _next_token(request, identity))


def _next_token(request: Request, identity: Identity) -> str:
    present = read_header((request.header(b"authorization") or b"").decode("latin-1"))
    claims = read_claims(present)
    return new_token(identity, refreshable=True) if claims and claims.refreshable else present
