"""In by letter: a code to type, or a link to open; and in for the first time, by an invitation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from undercroft.api.auth import invitations, magic_link
from undercroft.api.auth.otp import ask_for_code
from undercroft.auth.invitations import find_invitation
from undercroft.collections.collection import Collection
from undercroft.pages.controls import Control, make_control
from undercroft.pages.entry.controls import EMAIL, code_control, new_password_controls
from undercroft.pages.entry.entering import enter, enter_by_letter
from undercroft.pages.entry.entry import Entry, Received, collection_of
from undercroft.pages.submissions import OneMoreStep, done_url
from undercroft.pages.typed import read_typed

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest

_CODE: Final = code_control("code", "Code", "If there is an account with that address, a code is on its way to it.")


async def _ask_for_code(visit: PageRequest, received: Received) -> str:
    email = received.text("email").strip()
    code_id = await ask_for_code(visit.http.backend, collection_of(visit, received), email)
    raise OneMoreStep(ENTER_CODE.name, {"otpId": code_id})


async def _ask_for_link(visit: PageRequest, received: Received) -> str:
    email = received.text("email").strip()
    magic_link.ask_for_link(visit.http.backend, collection_of(visit, received), email)
    return done_url(visit, LINK.name)


async def _come_in(visit: PageRequest, received: Received) -> str:
    identity = await magic_link.prove(visit.http, collection_of(visit, received), received.text("token"))
    return await enter(visit, received, identity, "magicLink")


async def _open_invitation(visit: PageRequest, received: Received) -> str:
    """Show what is asked for, which only the invitation knows."""
    token = received.text("token")
    found = await find_invitation(visit.http.backend, collection_of(visit, received), token)
    raise OneMoreStep(ACCEPT.name, {"token": token, "ask": ",".join(found.offer.ask), "invited": found.email})


async def _accept(visit: PageRequest, received: Received) -> str:
    collection = collection_of(visit, received)
    asked = [name for name in received.text("ask").split(",") if name in collection.by_name]
    given = read_typed(collection, asked, received.texts)
    given |= {name: received.text(name) for name in ("password", "passwordConfirm")}
    identity = await invitations.prove(visit.http, collection, received.text("token"), given)
    return await enter(visit, received, identity, "invitation")


def _accept_controls(collection: Collection | None, carried: Mapping[str, str]) -> Sequence[Control]:
    fields = collection.by_name if collection is not None else {}
    asked = [fields[name] for name in carried.get("ask", "").split(",") if name in fields]
    return (*(make_control(field, field.zero) for field in asked), *new_password_controls(collection))


CODE: Final = Entry(
    "code",
    "Send me a code",
    _ask_for_code,
    lambda *_: (EMAIL,),
    steps=("enter-code", "second-step"),
    counts_as=("request-otp", "requestOTP"),
)
ENTER_CODE: Final = Entry(
    "enter-code",
    "Sign in",
    enter_by_letter,
    lambda *_: (_CODE,),
    carries=("otpId",),
    counts_as=("auth-with-otp", "authWithOTP", "auth"),
)
LINK: Final = Entry(
    "link",
    "Send me a link",
    _ask_for_link,
    lambda *_: (EMAIL,),
    done="If there is an account with that address, a link is on its way to it.",
    counts_as=("request-magic-link", "requestMagicLink"),
)
COME_IN: Final = Entry(
    "come-in",
    "Sign in",
    _come_in,
    carries=("token",),
    steps=("second-step",),
    counts_as=("auth-with-magic-link", "authWithMagicLink", "auth"),
)
INVITATION: Final = Entry(
    "invitation", "Open the invitation", _open_invitation, carries=("token",), steps=("accept", "second-step")
)
ACCEPT: Final = Entry(
    "accept",
    "Come in",
    _accept,
    _accept_controls,
    carries=("token", "ask", "invited"),
    counts_as=("accept-invitation", "acceptInvitation", "auth"),
)
