"""The end of every way in: the second factor, the note of where it came from, the token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from undercroft.api.auth.context import answer, device_of, holds, login_token, shown_half
from undercroft.auth.logins import keep_login, new_login
from undercroft.auth.mfa import begin_mfa, finish_mfa, is_other
from undercroft.auth.origins import Origin, note_origin
from undercroft.auth.passkeys import list_passkeys
from undercroft.auth.password_guesses import remember_device
from undercroft.auth.sessions import Device
from undercroft.auth.totp import has_totp
from undercroft.collections.options import AuthOptions
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response
from undercroft.query.scope import Identity, Method


@dataclass(frozen=True, slots=True)
class Way:
    """How somebody has proven who they are; `is_strong` says that it took two things at once, as a key and a PIN."""

    method: Method
    is_strong: bool = False


@dataclass(frozen=True, slots=True)
class FirstHalf:
    """What to come back with; `methods` may be the second half, for accounts with more ways than PocketBase knows."""

    id: str
    methods: Sequence[str]


async def admit(
    request: Request, identity: Identity, way: Way | Method, mfa_id: str = "", meta: Mapping[str, Any] | None = None
) -> Response:
    """The answer to who has proven who they are: the account and its token, or 401 and what to come back with.

    `meta` is told along with the token. Raises what `complete` raises.
    """
    backend = request.backend
    missing = await complete(request, identity, way, shown_half(request, mfa_id))
    if missing is not None:
        return json_response({"mfaId": missing.id} | ({"methods": missing.methods} if missing.methods else {}), 401)
    device = await note_device(request, identity)
    login = new_login(identity)
    response = await answer(request, identity, login_token(identity, login), meta)
    await keep_login(backend.engine, identity, login, device)
    return response


async def note_device(request: Request, identity: Identity) -> Device:
    """Know from where an account came in, and tell its owner of a place that is new; the device it is on."""
    backend, device = request.backend, device_of(request)
    await remember_device(backend, identity, device)
    await note_origin(backend, identity, Origin(device.address, device.agent))
    return device


async def complete(request: Request, identity: Identity, way: Way | Method, mfa_id: str = "") -> FirstHalf | None:
    """None when what somebody has proven is enough, the first half of a log-in by now if it is not.

    Raises `MfaRefused`, `SameMethod` and `WeakFactor`.
    """
    backend, way = request.backend, way if isinstance(way, Way) else Way(way)
    if not await needs_second_factor(request, identity, way):
        return None
    if not mfa_id:
        begun = await begin_mfa(backend, identity, way.method)
        return FirstHalf(begun, await _second_ways(request, identity, way.method))
    is_strict = await has_totp(backend.engine, identity)
    await finish_mfa(backend, identity, way.method, mfa_id, asks_for_strong=is_strict)
    return None


async def needs_second_factor(request: Request, identity: Identity, way: Way) -> bool:
    """Whether one proof is not enough for an account: its collection asks for two, or it asked for them itself."""
    mfa = identity.collection.auth.mfa if identity.collection.auth else None
    if mfa is not None and mfa.enabled and (not mfa.rule or await holds(request, identity, mfa.rule, way.method)):
        return True
    return not way.is_strong and await has_totp(request.backend.engine, identity)


async def _second_ways(request: Request, identity: Identity, method: Method) -> list[str]:
    engine, auth = request.backend.engine, identity.collection.auth or AuthOptions()
    uses_totp = await has_totp(engine, identity)
    has_passkeys = auth.passkeys.enabled and bool(await list_passkeys(engine.read, engine.dialect, identity))
    if not uses_totp and not has_passkeys:
        return []
    is_weak_enough = not uses_totp or method == "passkey"
    known = {
        "password": is_weak_enough and auth.password_auth.enabled,
        "oauth2": is_weak_enough and auth.oauth2.enabled,
        "otp": is_weak_enough and auth.otp.enabled,
        "magicLink": is_weak_enough and auth.magic_link.enabled,
        "passkey": has_passkeys,
        "totp": uses_totp,
    }
    return [name for name, is_open in known.items() if is_open and is_other(name, method)]
