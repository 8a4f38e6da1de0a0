"""The end of every way in: a session, or first a second proof.

That is a code of an app or of a letter, a passkey, or a password, whichever the account has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from undercroft.api.auth import passkey_login, password, totp
from undercroft.api.auth.admit import FirstHalf, Way, complete
from undercroft.api.auth.context import check_auth_rule
from undercroft.api.auth.otp import ask_for_code
from undercroft.api.auth.passkey_login import PasskeyForm
from undercroft.api.auth.password import PasswordForm, SecondFactorMissing
from undercroft.auth.form_token import FormExpired
from undercroft.auth.mfa import is_other
from undercroft.auth.otp import Shown, use_code
from undercroft.collections.collection import Collection
from undercroft.collections.options import AuthOptions
from undercroft.errors import BadRequest
from undercroft.pages.controls import Control
from undercroft.pages.entry.controls import PASSWORD, code_control, identity_control
from undercroft.pages.entry.entry import Entry, Received, Taker, collection_of
from undercroft.pages.sessions import begin
from undercroft.pages.submissions import OneMoreStep
from undercroft.query.scope import Identity, Method

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest


class NoCredential(BadRequest):
    """A form that waits for a passkey came without one."""

    code = "no_credential"
    default = "No passkey was used. It takes JavaScript, and a browser that knows passkeys."


_APP: Final = code_control(
    "code", "Code", "From your authenticator app. One of your recovery codes does as well.", spellcheck="false"
)
_LETTER: Final = code_control("code", "Code", "We have sent it to your address.", inputmode="numeric")


async def enter(visit: PageRequest, received: Received, identity: Identity, way: Way | Method, mfa_id: str = "") -> str:
    """Begin the session of who has proven who they are; where they go then.

    Raises `OneMoreStep` where one proof is not enough, and what `complete` and `begin` raise.
    """
    half = await complete(visit.http, identity, way, mfa_id)
    if half is not None:
        raise await _second_step(visit, identity, half, way.method if isinstance(way, Way) else way)
    await begin(visit, identity)
    return received.then or visit.path


async def enter_by_passkey(visit: PageRequest, received: Received) -> str:
    """Let in who brings what their authenticator signed; where they go then.

    Raises `NoCredential`, and what `passkey_login.prove` and `enter` raise.
    """
    form = PasskeyForm(read_credential(received), received.text("mfaId"))
    entrant = await passkey_login.prove(visit.http, collection_of(visit, received), form)
    way = Way("passkey", entrant.is_verified)
    return await enter(visit, received, entrant.identity, way, entrant.mfa_id)


async def enter_by_letter(visit: PageRequest, received: Received) -> str:
    """Let in who types the code of a letter; where they go then. Raises what `use_code` and `enter` raise."""
    http, collection = visit.http, collection_of(visit, received)
    shown = Shown(received.text("otpId"), received.text("code").strip(), received.text("mfaId"))
    identity = await use_code(http.backend, collection, shown, http.client_ip)
    await check_auth_rule(http, identity, "otp")
    return await enter(visit, received, identity, "otp", received.text("mfaId"))


def read_credential(received: Received) -> dict[str, Any]:
    """What the browser says an authenticator did. Raises `NoCredential`."""
    try:
        return msgspec.json.decode(received.text("credential"), type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise NoCredential from error


async def _second_step(visit: PageRequest, identity: Identity, half: FirstHalf, first: Method) -> OneMoreStep:
    """What an account is asked for after its first proof; a code by letter is on its way then.

    Raises `SecondFactorMissing` for an account that has nothing else to show.
    """
    auth, values = identity.collection.auth or AuthOptions(), {"mfaId": half.id}
    if "totp" in half.methods:
        return OneMoreStep(SECOND_STEP.name, values | {"way": "totp"})
    if "passkey" in half.methods:
        return OneMoreStep(SECOND_STEP.name, values | {"way": "passkey"})
    email = str(identity.record["email"])
    if auth.otp.enabled and is_other("otp", first) and email:
        code_id = await ask_for_code(visit.http.backend, identity.collection, email)
        return OneMoreStep(SECOND_STEP.name, values | {"way": "otp", "otpId": code_id})
    if auth.password_auth.enabled and is_other("password", first):
        return OneMoreStep(SECOND_STEP.name, values | {"way": "password"})
    raise SecondFactorMissing


async def _take(visit: PageRequest, received: Received) -> str:
    take = _WAYS.get(received.text("way"))
    if take is None:
        raise FormExpired
    return await take(visit, received)


async def _enter_by_app(visit: PageRequest, received: Received) -> str:
    mfa_id, code = received.text("mfaId"), received.text("code").strip()
    identity = await totp.prove(visit.http, collection_of(visit, received), mfa_id, code)
    return await enter(visit, received, identity, "totp", mfa_id)


async def _enter_by_password(visit: PageRequest, received: Received) -> str:
    identity = await prove_by_password(visit, received)
    return await enter(visit, received, identity, "password", received.text("mfaId"))


async def prove_by_password(visit: PageRequest, received: Received) -> Identity:
    """Who knows the password. Raises what `password.prove` raises."""
    form = PasswordForm(received.text("identity").strip(), received.text("password"))
    return await password.prove(visit.http, collection_of(visit, received), form)


_WAYS: Final[Mapping[str, Taker]] = {
    "totp": _enter_by_app,
    "otp": enter_by_letter,
    "passkey": enter_by_passkey,
    "password": _enter_by_password,
}


_COUNTED: Final[Mapping[str, tuple[str, ...]]] = {
    "totp": ("auth-with-totp", "authWithTOTP", "auth"),
    "otp": ("auth-with-otp", "authWithOTP", "auth"),
    "passkey": ("auth-with-passkey", "authWithPasskey", "auth"),
    "password": ("auth-with-password", "authWithPassword", "auth"),
}


def _controls(collection: Collection | None, carried: Mapping[str, str]) -> Sequence[Control]:
    way = carried.get("way")
    if way == "password":
        return (identity_control(collection), PASSWORD)
    return {"totp": (_APP,), "otp": (_LETTER,)}.get(way or "", ())


def passkey_attributes(collection: str) -> Mapping[str, str]:
    """What has a form wait for a passkey before it is sent."""
    return {"data-passkey": "use", "data-options": f"/api/collections/{collection}/request-passkey-login"}


SECOND_STEP: Final = Entry(
    "second-step",
    "Go on",
    _take,
    _controls,
    carries=("way", "mfaId", "otpId", "credential"),
    counts_as=lambda received: _COUNTED.get(received.text("way"), ()),
    attributes=lambda collection, carried: passkey_attributes(collection) if carried.get("way") == "passkey" else {},
)
