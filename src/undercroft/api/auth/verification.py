"""POST request-verification and confirm-verification."""

from __future__ import annotations

import msgspec

from undercroft.api.auth.checks import email_error, refuse
from undercroft.api.auth.context import auth_collection, read_form
from undercroft.auth.letters_asked_for import send_to_whom_it_concerns
from undercroft.auth.verification import LETTER, confirm_verification
from undercroft.collections.collection import Collection
from undercroft.errors import REQUIRED, BadRequest
from undercroft.http.request import Request
from undercroft.http.response import Response, no_content


class AlwaysVerified(BadRequest):
    """Superusers have nothing to verify."""

    code = "always_verified"
    default = "All superusers are verified by default."


class AddressForm(msgspec.Struct, frozen=True):
    """Whom to write to."""

    email: str = ""


class TokenForm(msgspec.Struct, frozen=True):
    """What was in the letter."""

    token: str = ""


async def request(request: Request) -> Response:
    """204, whoever is asked for; the letter follows if there is somebody to verify."""
    collection = _collection(request)
    form = await read_form(request, AddressForm)
    refuse({"email": email_error(form.email)})
    backend = request.backend
    backend.errands.start(send_to_whom_it_concerns(backend, collection, form.email, LETTER))
    return no_content()


async def confirm(request: Request) -> Response:
    """204 once the account is verified."""
    collection = _collection(request)
    form = await read_form(request, TokenForm)
    refuse({"token": None if form.token else REQUIRED})
    await confirm_verification(request.backend, collection, form.token)
    return no_content()


def _collection(request: Request) -> Collection:
    collection = auth_collection(request)
    if collection.is_superusers:
        raise AlwaysVerified
    return collection
