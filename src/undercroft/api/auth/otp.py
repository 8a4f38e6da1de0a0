"""POST request-otp and auth-with-otp."""

from __future__ import annotations

import msgspec

from undercroft.api.auth.admit import admit
from undercroft.api.auth.checks import email_error, refuse, text_error
from undercroft.api.auth.context import auth_collection, check_auth_rule, read_form, shown_half
from undercroft.api.auth.verification import AddressForm
from undercroft.auth import otp
from undercroft.auth.otp import Shown, otp_options, use_code
from undercroft.backend import Backend
from undercroft.collections.collection import Collection
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response
from undercroft.ids import record_id
from undercroft.middleware.authenticate import check_superuser_address

_LONGEST_CODE = 71


class CodeForm(msgspec.Struct, frozen=True, rename="camel"):
    """A code, under which id it was sent, and the first half of the log-in if this is the second."""

    otp_id: str = ""
    password: str = ""
    mfa_id: str = ""


async def request(request: Request) -> Response:
    """An id to come back with, whoever is asked for; the code follows by letter if there is such an account."""
    collection = auth_collection(request)
    otp_options(collection)
    form = await read_form(request, AddressForm)
    return json_response({"otpId": await ask_for_code(request.backend, collection, form.email)})


async def ask_for_code(backend: Backend, collection: Collection, email: str) -> str:
    """The id of a code that follows by letter if there is such an account. Raises `OtpOff` and `Invalid`."""
    otp_options(collection)
    refuse({"email": email_error(email)})
    asked = await otp.ask_for_code(backend, collection, email, record_id())
    if asked.is_new:
        backend.errands.start(otp.send_code(backend, asked))
    return asked.id


async def log_in(request: Request) -> Response:
    """Log in: the account and a token for it."""
    collection = auth_collection(request)
    otp_options(collection)
    form = await read_form(request, CodeForm)
    refuse({"otpId": text_error(form.otp_id), "password": text_error(form.password, _LONGEST_CODE)})
    half = shown_half(request, form.mfa_id)
    shown = Shown(form.otp_id, form.password, half)
    identity = await use_code(request.backend, collection, shown, request.client_ip)
    if identity.is_superuser:
        check_superuser_address(request)
    await check_auth_rule(request, identity, "otp")
    return await admit(request, identity, "otp", half)
