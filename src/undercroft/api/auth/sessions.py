"""Who is logged in to the caller's account: GET and DELETE /api/sessions."""

from __future__ import annotations

from typing import Any

from undercroft.api.auth.own import caller, came_with
from undercroft.auth import logins
from undercroft.auth.session_list import Session, end_one, end_others, list_sessions
from undercroft.dates import date_of
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response, no_content


async def list_(request: Request) -> Response:
    """GET /api/sessions: the account's, the newest first."""
    return json_response({"items": await own_sessions(request)})


async def end(request: Request) -> Response:
    """DELETE /api/sessions/{id}: nobody is in by it any more."""
    await end_own(request, request.params["id"])
    return no_content()


async def end_rest(request: Request) -> Response:
    """DELETE /api/sessions: nobody is in any more but by the session that asks."""
    await end_own_others(request)
    return no_content()


async def own_sessions(request: Request) -> list[dict[str, Any]]:
    """The sessions of the caller's account, the newest first. Raises `Unauthenticated`."""
    engine, current = request.backend.engine, _current(request)
    found = await list_sessions(engine.read, engine, caller(request))
    return [_render(each, is_current=each.id == current) for each in found]


async def end_own(request: Request, session_id: str) -> None:
    """End a session of the caller's account. Raises `Unauthenticated` and `NotFound`."""
    backend = request.backend
    backend.ended.add(await end_one(backend.engine, caller(request), session_id))


async def end_own_others(request: Request) -> None:
    """End all sessions of the caller's account but the one that asks. Raises `Unauthenticated`."""
    backend = request.backend
    backend.ended.add(await end_others(backend.engine, caller(request), _current(request)))


def _current(request: Request) -> str:
    return came_with(request).removeprefix(logins.PREFIX)


def _render(session: Session, *, is_current: bool) -> dict[str, Any]:
    return {
        "id": session.id,
        "kind": session.kind,
        "address": session.address,
        "agent": session.agent,
        "created": date_of(session.created),
        "seen": date_of(session.seen),
        "expires": date_of(session.expires),
        "isCurrent": is_current,
    }
