"""POST request-email-change and confirm-email-change."""

from __future__ import annotations

import msgspec

from undercroft.api.auth.checks import email_error, refuse, text_error
from undercroft.api.auth.context import auth_collection, read_form
from undercroft.api.auth.refresh import WrongCollection
from undercroft.auth.email_change import NO_ADDRESS, confirm_email_change, request_email_change
from undercroft.auth.tokens import read_any_claims
from undercroft.errors import REQUIRED, BadRequest, Unauthenticated
from undercroft.http.request import Request
from undercroft.http.response import Response, no_content

_LONGEST_PASSWORD = 100


class ChangedDirectly(BadRequest):
    """Superusers change each other's addresses like any other value."""

    code = "changed_directly"
    default = "All superusers can change their emails directly."


class NewAddressForm(msgspec.Struct, frozen=True, rename="camel"):
    """The address that is to be."""

    new_email: str = ""


class ConfirmForm(msgspec.Struct, frozen=True):
    """What was in the letter, and the password of the account."""

    token: str = ""
    password: str = ""


async def request(request: Request) -> Response:
    """204 once a letter to the new address is on its way."""
    collection, identity = auth_collection(request), request.identity
    if identity is None:
        raise Unauthenticated
    if identity.collection.id != collection.id:
        raise WrongCollection(identity.collection.name)
    if collection.is_superusers:
        raise ChangedDirectly
    form = await read_form(request, NewAddressForm)
    refuse({"newEmail": email_error(form.new_email)})
    await request_email_change(request.backend, identity, form.new_email)
    return no_content()


async def confirm(request: Request) -> Response:
    """204 once the account is at its new address."""
    collection = auth_collection(request)
    if collection.is_superusers:
        raise ChangedDirectly
    form = await read_form(request, ConfirmForm)
    claims = read_any_claims(form.token)
    unread = NO_ADDRESS if claims is None or not claims.new_email else None
    password = text_error(form.password, _LONGEST_PASSWORD)
    refuse({"token": unread if form.token else REQUIRED, "password": password} if password or not form.token else {})
    await confirm_email_change(request.backend, collection, form.token, form.password)
    return no_content()
