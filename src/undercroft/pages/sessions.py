"""The session of a visit: begun, ended, and told to the browser by its cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from undercroft.api.auth.admit import note_device
from undercroft.api.auth.context import check_not_blocked, judge_session
from undercroft.auth.sessions import SECONDS, begin_session, end_session
from undercroft.http.cookies import cookie_header
from undercroft.middleware.authenticate import is_private, session_cookie, session_value
from undercroft.query.scope import Identity

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest


async def begin(visit: PageRequest, identity: Identity) -> None:
    """Go on as somebody, with a new session; for scripts that let visitors in by themselves."""
    engine = visit.http.backend.engine
    await check_not_blocked(visit.http, identity)
    await judge_session(visit.http, identity)
    await _end_session(visit)
    value = await begin_session(engine, identity, await note_device(visit.http, identity))
    visit.headers_to_send.append(_cookie(visit, value, SECONDS))
    visit.become(identity)


async def end(visit: PageRequest) -> None:
    """Go on as a guest."""
    await _end_session(visit)
    visit.headers_to_send.append(_cookie(visit, "", 0))
    visit.become(None)


async def _end_session(visit: PageRequest) -> None:
    if value := session_value(visit.http):
        await end_session(visit.http.backend.engine, value)


def _cookie(visit: PageRequest, value: str, seconds: int) -> tuple[bytes, bytes]:
    return cookie_header(session_cookie(visit.http), value, seconds, is_secure=is_private(visit.http))
