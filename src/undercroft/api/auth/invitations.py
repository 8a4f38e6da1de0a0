"""Invitations: sent, listed and taken back by who may manage accounts; looked at and accepted by who has the letter."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from undercroft.api.auth.admit import admit
from undercroft.api.auth.checks import email_error, refuse, text_error
from undercroft.api.auth.context import auth_collection, check_auth_rule, read_form
from undercroft.api.auth.own import own_name
from undercroft.api.records import access_of
from undercroft.auth.invitations import (
    Invitation,
    Offer,
    accept_invitation,
    find_invitation,
    invitation_options,
    invite,
    list_invitations,
    take_back,
)
from undercroft.collections.collection import Collection
from undercroft.dates import date_of
from undercroft.http.body import DEFAULT_LIMIT
from undercroft.http.forms import load_form
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response, no_content
from undercroft.middleware.authenticate import check_superuser_address
from undercroft.query.scope import Identity

_MOST_ASKED: Final = 50


class InviteForm(msgspec.Struct, frozen=True):
    """Whom to invite, what the account will be, and what the invited are asked for."""

    email: str = ""
    values: dict[str, Any] = {}
    ask: tuple[str, ...] = ()


class TokenForm(msgspec.Struct, frozen=True):
    """What was in the letter."""

    token: str = ""


async def create(request: Request) -> Response:
    """POST invitations: the invitation, whose letter is on its way."""
    collection = auth_collection(request)
    invitation_options(collection)
    form = await read_form(request, InviteForm)
    refuse({"email": email_error(form.email)})
    offer = Offer(form.values, form.ask[:_MOST_ASKED])
    made = await invite(request.backend, access_of(request), collection, form.email, offer)
    return json_response(render_invitation(made))


async def list_(request: Request) -> Response:
    """GET invitations: those that count; a superuser sees all, others their own."""
    collection = auth_collection(request)
    found = await list_invitations(request.backend.engine, collection, own_name(request))
    return json_response({"items": [render_invitation(each) for each in found]})


async def take_back_(request: Request) -> Response:
    """DELETE invitations/{id}: it counts no more."""
    collection = auth_collection(request)
    await take_back(request.backend.engine, collection, request.params["id"], own_name(request))
    return no_content()


async def look(request: Request) -> Response:
    """POST check-invitation: what the invitation is for; it counts on."""
    collection = auth_collection(request)
    form = await read_form(request, TokenForm)
    refuse({"token": text_error(form.token)})
    found = await find_invitation(request.backend, collection, form.token)
    return json_response({"email": found.email, "ask": found.offer.ask, "expires": date_of(found.expires)})


async def accept(request: Request) -> Response:
    """POST accept-invitation: log in to the account that was made: it and a token for it."""
    collection = auth_collection(request)
    invitation_options(collection)
    body = await request.body(DEFAULT_LIMIT)
    form = load_form(body, TokenForm)
    refuse({"token": text_error(form.token)})
    identity = await prove(request, collection, form.token, body.data)
    return await admit(request, identity, "invitation")


async def prove(request: Request, collection: Collection, token: str, given: dict[str, Any]) -> Identity:
    """Who accepts an invitation, with what they fill in, and whom the collection lets in.

    Raises `InvitationsOff`, `InvitationRefused`, `Invalid`, `SuperuserFromElsewhere` and `AuthRuleNotMet`.
    """
    if collection.is_superusers:
        check_superuser_address(request)
    identity = await accept_invitation(request.backend, collection, token, given)
    await check_auth_rule(request, identity, "invitation")
    return identity


def render_invitation(invitation: Invitation) -> dict[str, Any]:
    """An invitation as who sent it sees it; what is in the letter is nowhere else."""
    return {
        "id": invitation.id,
        "email": invitation.email,
        "values": invitation.offer.values,
        "ask": invitation.offer.ask,
        "created": date_of(invitation.created),
        "expires": date_of(invitation.expires),
    }
