"""Codes of an authenticator app: set up, asked about, ended, and shown as the second factor of a log-in."""

from __future__ import annotations

from typing import Final

import msgspec

from undercroft.api.auth.admit import admit
from undercroft.api.auth.checks import refuse, text_error
from undercroft.api.auth.context import auth_collection, check_auth_rule, read_form, shown_half
from undercroft.api.auth.own import account_meant, check_fresh, own_account
from undercroft.auth.mfa import find_first_half
from undercroft.auth.recovery_codes import count_recovery_codes
from undercroft.auth.totp import (
    begin_totp,
    check_totp_is_on,
    confirm_totp,
    count_totp_try,
    drop_totp,
    end_totp,
    has_totp,
    prove_by_code,
    renew_recovery_codes,
)
from undercroft.auth.totp_codes import seed_uri
from undercroft.collections.collection import Collection
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response, no_content
from undercroft.middleware.authenticate import check_superuser_address
from undercroft.query.scope import Identity

_LONGEST: Final = 71


class CodeForm(msgspec.Struct, frozen=True):
    """A code of the app, or a recovery code."""

    code: str = ""


class LoginForm(msgspec.Struct, frozen=True, rename="camel"):
    """A code, and the first half of the log-in that it completes."""

    code: str = ""
    mfa_id: str = ""


async def look(request: Request) -> Response:
    """GET totp: whether the account is asked for codes, and how many recovery codes it has left."""
    account, engine = await account_meant(request, auth_collection(request)), request.backend.engine
    left = await count_recovery_codes(engine.read, engine.dialect, account)
    return json_response({"enabled": await has_totp(engine, account), "recoveryCodes": left})


async def request(request: Request) -> Response:
    """POST request-totp: a secret for an app, for who has just signed in."""
    collection = auth_collection(request)
    check_totp_is_on(collection)
    account = own_account(request, collection)
    await check_fresh(request)
    seed = await begin_totp(request.backend.engine, account)
    return json_response(render_seed(request, account, seed))


def render_seed(request: Request, account: Identity, seed: str) -> dict[str, str]:
    """What an app is told, to type, to open and to scan."""
    uri = seed_uri(seed, request.backend.settings.meta.app_name, _name_of(account))
    return {"secret": seed, "uri": uri, "qr": _draw(uri)}


async def confirm(request: Request) -> Response:
    """POST confirm-totp: codes are asked for from now on; the recovery codes, which are shown this once."""
    account, code = await _read_own(request)
    return json_response({"recoveryCodes": await confirm_totp(request.backend, account, code)})


async def renew(request: Request) -> Response:
    """POST renew-recovery-codes: other recovery codes, for who shows a code."""
    account, code = await _read_own(request)
    return json_response({"recoveryCodes": await renew_recovery_codes(request.backend, account, code)})


async def disable(request: Request) -> Response:
    """POST disable-totp: codes are asked for no more, for who shows one."""
    account, code = await _read_own(request)
    await end_totp(request.backend, account, code)
    return no_content()


async def reset(request: Request) -> Response:
    """DELETE totp?record=ID: somebody who has lost app and recovery codes is asked for codes no more."""
    account, backend = await account_meant(request, auth_collection(request)), request.backend
    await check_fresh(request)
    await backend.engine.write(lambda tx: drop_totp(backend, tx, account))
    return no_content()


async def log_in(request: Request) -> Response:
    """POST auth-with-totp: the second half of a log-in; the account and a token for it."""
    collection = auth_collection(request)
    check_totp_is_on(collection)
    form = await read_form(request, LoginForm)
    mfa_id = shown_half(request, form.mfa_id)
    refuse({"code": text_error(form.code, _LONGEST), "mfaId": text_error(mfa_id)})
    identity = await prove(request, collection, mfa_id, form.code)
    return await admit(request, identity, "totp", mfa_id)


async def prove(request: Request, collection: Collection, mfa_id: str, code: str) -> Identity:
    """Who completes a log-in with a code, and whom the collection lets in.

    Raises `MfaRefused`, `TooManyTotpTries`, `TotpRefused`, `SuperuserFromElsewhere` and `AuthRuleNotMet`.
    """
    backend = request.backend
    identity = await find_first_half(backend, collection, mfa_id)
    await count_totp_try(backend, identity, request.client_ip)
    dialect = backend.engine.dialect
    await backend.engine.write(lambda tx: prove_by_code(tx, dialect, identity, code))
    if identity.is_superuser:
        check_superuser_address(request)
    await check_auth_rule(request, identity, "totp")
    return identity


async def _read_own(request: Request) -> tuple[Identity, str]:
    """The caller's account, and the code they show, which is counted as a try."""
    collection = auth_collection(request)
    check_totp_is_on(collection)
    own_account(request, collection)  # who may not is told before the form is looked at
    form = await read_form(request, CodeForm)
    refuse({"code": text_error(form.code, _LONGEST)})
    return await trying_account(request, collection), form.code


async def trying_account(request: Request, collection: Collection) -> Identity:
    """The caller's account, a try of whose code is counted.

    Raises `TotpOff`, `TooManyTotpTries`, and what `own_account` raises.
    """
    check_totp_is_on(collection)
    account = own_account(request, collection)
    await count_totp_try(request.backend, account, request.client_ip)
    return account


def _name_of(account: Identity) -> str:
    """What apps show beside the name of the application."""
    return str(account.record["email"]) or account.id


def _draw(text: str) -> str:
    """A QR code as SVG."""
    import segno  # noqa: PLC0415 - see LAZY in tests/house/test_layers.py

    drawn: str = segno.make_qr(text, error="m").svg_inline(scale=4, border=4)
    return drawn
