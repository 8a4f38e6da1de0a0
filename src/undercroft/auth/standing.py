"""Whether what a connection was opened with still stands, as long as the connection lasts."""

from __future__ import annotations

from undercroft.auth import logins
from undercroft.auth.api_keys import PREFIX, find_grant, is_key_open
from undercroft.auth.sessions import is_session_open
from undercroft.database.engine import Engine
from undercroft.query.grant import Grant
from undercroft.query.scope import Identity


async def still_stands(engine: Engine, kept_under: str) -> bool:
    """Whether a session or a log-in, by what it is kept under, or an API key, by how it begins, has not ended."""
    if kept_under.startswith(PREFIX):
        return await is_key_open(engine, kept_under.removeprefix(PREFIX))
    if kept_under.startswith(logins.PREFIX):
        return not await logins.is_ended(engine, kept_under.removeprefix(logins.PREFIX))
    return await is_session_open(engine, kept_under)


async def grant_of(engine: Engine, account: Identity, kept_under: str) -> Grant | None:
    """What an API key lets its account do; None for anything else, and for a key that is no more."""
    if not kept_under.startswith(PREFIX):
        return None
    return await find_grant(engine, account, kept_under.removeprefix(PREFIX))
