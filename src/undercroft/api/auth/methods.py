"""GET auth-methods: the ways in that a collection offers.

OAuth2 is not offered by this server yet, whatever the collection's options say: a
client must not be shown a door that does not open.
"""

from __future__ import annotations

from typing import Any

from undercroft.api.auth.context import auth_collection
from undercroft.collections.options import AuthOptions
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response


async def handler(request: Request) -> Response:
    """The ways in, for anyone who asks."""
    return json_response(render_methods(auth_collection(request).auth or AuthOptions()))


def render_methods(auth: AuthOptions) -> dict[str, Any]:
    """The ways in as clients read them; the last three keys are for old ones."""
    password, mfa, otp = auth.password_auth, auth.mfa, auth.otp
    names = password.identity_fields if password.enabled else ()
    return {
        "password": {"identityFields": names, "enabled": password.enabled},
        "oauth2": {"providers": [], "enabled": False},
        "mfa": {"enabled": mfa.enabled, "duration": mfa.duration if mfa.enabled else 0},
        "otp": {"enabled": otp.enabled, "duration": otp.duration if otp.enabled else 0},
        "authProviders": [],
        "usernamePassword": "username" in names,
        "emailPassword": "email" in names,
    } | _beyond_the_wire(auth)


def _beyond_the_wire(auth: AuthOptions) -> dict[str, Any]:
    """The ways in that PocketBase does not know, where they are open."""
    ways = {
        "passkey": auth.passkeys.enabled,
        "totp": auth.totp.enabled,
        "magicLink": auth.magic_link.enabled,
        "invitation": auth.invitations.enabled,
    }
    return {name: {"enabled": True} for name, is_open in ways.items() if is_open}
