"""POST request-otp and auth-with-otp."""

from __future__ import annotations

import msgspec

from undercroft.api.auth.admit import admit
from undercroft.api.auth.checks import email_error, refuse, text_error
from undercroft.api.auth.context import auth_collection, check_auth_rule, read_form
from undercroft.api.auth.verification import AddressForm
from undercroft.auth.otp import ask_for_code, otp_options, send_code, use_code
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
    collection, backend = auth_collection(request), request.backend
    otp_options(collection)
    form = await read_form(request, AddressForm)
    refuse({"email": email_error(form.email)})
    asked = await ask_for_code(backend, collection, form.email, record_id())
    if asked.is_new:
        backend.errands.start(send_code(backend, asked))
    return json_response({"otpId": asked.id})


async def log_in(request: Request) -> Response:
    """Log in: the account and a token for it."""
    collection = auth_collection(request)
    otp_options(collection)
    form = await read_form(request, CodeForm)
    refuse({"otpId": text_error(form.otp_id), "password": text_error(form.password, _LONGEST_CODE)})
    identity = await use_code(request.backend, collection, form.otp_id, form.password, request.client_ip)
    if identity.is_superuser:
        check_superuser_address(request)
    await check_auth_rule(request, identity, "otp")
    return await admit(request, identity, "otp", form.mfa_id)
