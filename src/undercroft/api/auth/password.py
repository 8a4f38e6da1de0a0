"""POST auth-with-password."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from undercroft.api.auth.admit import admit
from undercroft.api.auth.context import auth_collection, check_auth_rule, device_of, read_form
from undercroft.auth.password import Credentials, log_in
from undercroft.auth.password_guesses import Guesser
from undercroft.collections.collection import Collection
from undercroft.errors import REQUIRED, FieldError, Forbidden, Invalid
from undercroft.http.client_ip import is_listed
from undercroft.http.request import Request
from undercroft.http.response import Response
from undercroft.middleware.authenticate import check_superuser_address
from undercroft.query.scope import Identity

LONGEST: Final = 255
WRONG_LENGTH: Final = FieldError(
    "validation_length_out_of_range", f"The length must be between 1 and {LONGEST}.", {"min": 1, "max": LONGEST}
)
NOT_A_CHOICE: Final = FieldError("validation_in_invalid", "Must be a valid value.")


class PasswordAuthOff(Forbidden):
    """Accounts of this collection do not log in with a password."""

    code = "password_auth_off"
    default = "The collection is not configured to allow password authentication."


class SecondFactorMissing(Forbidden):
    """The account needs a second factor, and this way in knows only a password."""

    code = "second_factor_missing"
    default = "The account needs a second factor to log in, which cannot be given here."


class PasswordForm(msgspec.Struct, frozen=True, rename="camel"):
    """Who someone says to be, and the proof."""

    identity: str = ""
    password: str = ""
    identity_field: str = ""
    mfa_id: str = ""


async def handler(request: Request) -> Response:
    """Log in: the account and a token for it."""
    collection = auth_collection(request)
    _identity_fields(collection)  # an answer to who may not try comes before that to a bad form
    form = await read_form(request, PasswordForm)
    return await admit(request, await prove(request, collection, form), "password", form.mfa_id)


async def prove(request: Request, collection: Collection, form: PasswordForm) -> Identity:
    """Who proves by a password who they are, and whom the collection lets in.

    Raises `PasswordAuthOff`, `Invalid`, `LoginFailed`, `TooManyGuesses`, `SuperuserFromElsewhere` and
    `AuthRuleNotMet`.
    """
    _check(form, _identity_fields(collection))
    given = Credentials(form.identity, form.password, form.identity_field)
    identity = Identity(collection, await log_in(request.backend, collection, given, _guesser(request)))
    if identity.is_superuser:
        check_superuser_address(request)
    await check_auth_rule(request, identity, "password")
    return identity


def _guesser(request: Request) -> Guesser:
    excluded = request.backend.settings.rate_limits.excluded_ips
    is_excluded = bool(excluded) and is_listed(request.client_ip, excluded)
    return Guesser(device_of(request), request.identity, is_excluded)


def _identity_fields(collection: Collection) -> Sequence[str]:
    options = collection.auth.password_auth if collection.auth else None
    if options is None or not options.enabled:
        raise PasswordAuthOff
    return options.identity_fields


def _check(form: PasswordForm, fields: Sequence[str]) -> None:
    errors = {name: error for name in ("identity", "password") if (error := _length_error(getattr(form, name)))}
    if form.identity_field and form.identity_field not in fields:
        errors["identityField"] = NOT_A_CHOICE
    if errors:
        raise Invalid(errors)


def _length_error(text: str) -> FieldError | None:
    if not text:
        return REQUIRED
    return WRONG_LENGTH if len(text) > LONGEST else None
