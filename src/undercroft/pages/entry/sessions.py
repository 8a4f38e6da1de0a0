"""Where the visitor is logged in, and the end of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from undercroft.api.auth.sessions import end_own, end_own_others, own_sessions
from undercroft.pages.entry.entry import Entry, Received
from undercroft.pages.submissions import done_url

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest


async def visitors_sessions(visit: PageRequest) -> Sequence[dict[str, Any]]:
    """The sessions of the visitor, as `{{ sessions() }}` lists them; none for a guest."""
    return await own_sessions(visit.http) if visit.identity is not None else ()


async def _end(visit: PageRequest, received: Received) -> str:
    await end_own(visit.http, received.text("session"))
    return received.then or done_url(visit, END_SESSION.name)


async def _end_others(visit: PageRequest, received: Received) -> str:
    await end_own_others(visit.http)
    return received.then or done_url(visit, END_OTHER_SESSIONS.name)


END_SESSION: Final = Entry("end-session", "End", _end, carries=("session",), look="button.html")
END_OTHER_SESSIONS: Final = Entry("end-other-sessions", "End all others", _end_others, look="button.html")
