"""POST request-magic-link and auth-with-magic-link."""

from __future__ import annotations

import msgspec

from undercroft.api.auth.admit import admit
from undercroft.api.auth.checks import email_error, refuse, text_error
from undercroft.api.auth.context import auth_collection, check_auth_rule, read_form, shown_half
from undercroft.api.auth.verification import AddressForm
from undercroft.auth.magic_links import magic_link_options, send_magic_link, use_magic_link
from undercroft.backend import Backend
from undercroft.collections.collection import Collection
from undercroft.http.request import Request
from undercroft.http.response import Response, no_content
from undercroft.middleware.authenticate import check_superuser_address
from undercroft.query.scope import Identity


class LinkForm(msgspec.Struct, frozen=True, rename="camel"):
    """What was in the link, and the first half of the log-in if this is the second."""

    token: str = ""
    mfa_id: str = ""


async def request(request: Request) -> Response:
    """204, whoever is asked for; the letter follows if there is such an account."""
    collection = auth_collection(request)
    magic_link_options(collection)
    form = await read_form(request, AddressForm)
    ask_for_link(request.backend, collection, form.email)
    return no_content()


def ask_for_link(backend: Backend, collection: Collection, email: str) -> None:
    """Have the letter follow if there is such an account. Raises `MagicLinkOff` and `Invalid`."""
    magic_link_options(collection)
    refuse({"email": email_error(email)})
    backend.errands.start(send_magic_link(backend, collection, email))


async def log_in(request: Request) -> Response:
    """Log in: the account and a token for it."""
    collection = auth_collection(request)
    magic_link_options(collection)
    form = await read_form(request, LinkForm)
    refuse({"token": text_error(form.token)})
    half = shown_half(request, form.mfa_id)
    return await admit(request, await prove(request, collection, form.token, half), "magicLink", half)


async def prove(request: Request, collection: Collection, token: str, half: str = "") -> Identity:
    """Who proves by a link who they are, and whom the collection lets in.

    Raises `MagicLinkOff`, `MagicLinkRefused`, `SuperuserFromElsewhere` and `AuthRuleNotMet`.
    """
    magic_link_options(collection)
    identity = await use_magic_link(request.backend, collection, token, half)
    if identity.is_superuser:
        check_superuser_address(request)
    await check_auth_rule(request, identity, "magicLink")
    return identity
