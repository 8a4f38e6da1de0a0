"""POST /api/settings/apple/generate-client-secret: the signed secret that Sign in with Apple wants."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

import msgspec

from undercroft.collections.fields.checks import drop_empty, too_big, too_small
from undercroft.errors import REQUIRED, BadRequest, FieldError, Invalid
from undercroft.http.body import DEFAULT_LIMIT
from undercroft.http.forms import load_form
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response

_AUDIENCE: Final = "https://appleid.apple.com"
_LONGEST: Final = 15_777_000  # seconds; Apple takes no secret for more than half a year
_ID_LENGTH: Final = 10
_OPENING, _CLOSING = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"


class BadSecretData(Invalid):
    """What the secret is made of was refused."""

    code = "bad_apple_secret_data"
    default = "Invalid client secret data."


class UnusableKey(BadRequest):
    """The private key is no EC key in PEM."""

    code = "unusable_apple_key"
    default = "Failed to generate client secret: the private key cannot be read."


class AppleForm(msgspec.Struct, frozen=True, rename="camel"):
    """Who signs, with which key, for how many seconds."""

    client_id: str = ""
    team_id: str = ""
    key_id: str = ""
    private_key: str = ""
    duration: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] = 0


async def generate(request: Request) -> Response:
    """The secret. Raises `BadSecretData` and `UnusableKey`."""
    form = load_form(await request.body(DEFAULT_LIMIT), AppleForm)
    _check(form)
    return json_response({"secret": make_secret(form)})


def make_secret(form: AppleForm) -> str:
    """A JWT signed with ES256, as Apple describes it. Raises `UnusableKey`."""
    from joserfc.errors import JoseError  # noqa: PLC0415 - takes half a second, and few ever need it
    from joserfc.jwk import ECKey  # noqa: PLC0415 - likewise
    from joserfc.jwt import encode  # noqa: PLC0415 - likewise

    now = int(time.time())
    claims = {"iss": form.team_id, "sub": form.client_id, "aud": _AUDIENCE, "iat": now, "exp": now + form.duration}
    try:
        key = ECKey.import_key(form.private_key.strip())
        return encode({"alg": "ES256", "kid": form.key_id}, claims, key)
    except (JoseError, ValueError) as error:
        raise UnusableKey from error


def _check(form: AppleForm) -> None:
    errors: dict[str, Any] = drop_empty(
        {
            "clientId": None if form.client_id else REQUIRED,
            "teamId": _check_id(form.team_id),
            "keyId": _check_id(form.key_id),
            "privateKey": _check_key(form.private_key),
            "duration": _check_duration(form.duration),
        }
    )
    if errors:
        raise BadSecretData(errors)


def _check_id(text: str) -> FieldError | None:
    if not text:
        return REQUIRED
    params = {"min": _ID_LENGTH, "max": _ID_LENGTH}
    wrong = FieldError("validation_length_invalid", f"The length must be exactly {_ID_LENGTH}.", params)
    return None if len(text) == _ID_LENGTH else wrong


def _check_key(text: str) -> FieldError | None:
    if not text:
        return REQUIRED
    is_pem = text.strip().startswith(_OPENING) and text.strip().endswith(_CLOSING)
    return None if is_pem else FieldError("validation_match_invalid", "Must be in a valid format.")


def _check_duration(seconds: int) -> FieldError | None:
    if seconds == 0:
        return REQUIRED
    if seconds < 1:
        return too_small(1)
    return too_big(_LONGEST) if seconds > _LONGEST else None
