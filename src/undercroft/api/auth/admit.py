"""The end of every way in: the second factor, the note of where it came from, the token."""

from __future__ import annotations

from undercroft.api.auth.context import answer, holds, sign_in_token
from undercroft.auth.mfa import Method, begin_mfa, finish_mfa
from undercroft.auth.origins import Origin, note_origin
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response
from undercroft.query.scope import Identity


async def admit(request: Request, identity: Identity, method: Method, mfa_id: str = "") -> Response:
    """The answer to who has proven who they are: the account and its token, or 401 and what to come back with.

    Raises `MfaRefused` and `SameMethod`.
    """
    backend = request.backend
    if await needs_second_factor(request, identity, method):
        first_half = mfa_id or request.query.get("mfaId", "")
        if not first_half:
            return json_response({"mfaId": await begin_mfa(backend, identity, method)}, 401)
        await finish_mfa(backend, identity, method, first_half)
    await note_origin(backend, identity, Origin(request.client_ip, request.headers.get("user-agent", "")))
    return await answer(request, identity, sign_in_token(identity))


async def needs_second_factor(request: Request, identity: Identity, method: Method) -> bool:
    """Whether one proof is not enough for an account."""
    mfa = identity.collection.auth.mfa if identity.collection.auth else None
    return mfa is not None and mfa.enabled and (not mfa.rule or await holds(request, identity, mfa.rule, method))
