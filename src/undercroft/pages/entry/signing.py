"""In with a password, and out again: `{{ sign_in_form(records.users) }}`, `{{ sign_out_form() }}`.

The visitor gets a session's cookie, which stands for the same account as a bearer token.
A new session is made at each sign-in, and the one before it ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from undercroft.pages.entry.controls import PASSWORD, identity_control
from undercroft.pages.entry.entering import enter, prove_by_password
from undercroft.pages.entry.entry import Entry, Received
from undercroft.pages.sessions import end

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest


async def _sign_in(visit: PageRequest, received: Received) -> str:
    return await enter(visit, received, await prove_by_password(visit, received), "password")


async def _sign_out(visit: PageRequest, received: Received) -> str:
    await end(visit)
    return received.then or "/"


SIGN_IN: Final = Entry(
    "sign-in",
    "Sign in",
    _sign_in,
    lambda collection, _: (identity_control(collection), PASSWORD),
    steps=("second-step",),
    counts_as=("auth-with-password", "authWithPassword", "auth"),
)
SIGN_OUT: Final = Entry("sign-out", "Sign out", _sign_out, look="button.html")
