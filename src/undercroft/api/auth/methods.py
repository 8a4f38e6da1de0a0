"""GET auth-methods: the ways in that a collection offers."""

from __future__ import annotations

from typing import Any

from undercroft.api.auth.context import auth_collection
from undercroft.auth.oauth2.authorize import make_offer
from undercroft.auth.oauth2.provider import Provider, set_up
from undercroft.auth.oauth2.vendors import VENDORS
from undercroft.collections.options import AuthOptions, OAuth2
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response


async def handler(request: Request) -> Response:
    """The ways in, for anyone who asks."""
    return json_response(render_methods(auth_collection(request).auth or AuthOptions()))


def render_methods(auth: AuthOptions) -> dict[str, Any]:
    """The ways in as clients read them; the last three keys are for old ones."""
    password, mfa, otp = auth.password_auth, auth.mfa, auth.otp
    names = password.identity_fields if password.enabled else ()
    providers = render_providers(auth.oauth2)
    return {
        "password": {"identityFields": names, "enabled": password.enabled},
        "oauth2": {"providers": providers, "enabled": auth.oauth2.enabled},
        "mfa": {"enabled": mfa.enabled, "duration": mfa.duration if mfa.enabled else 0},
        "otp": {"enabled": otp.enabled, "duration": otp.duration if otp.enabled else 0},
        "authProviders": [{**provider, "logo": ""} for provider in providers],
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


def render_providers(oauth2: OAuth2) -> list[dict[str, str]]:
    """The providers of OAuth2, each with a way to it that can be gone once."""
    known = (each for each in oauth2.providers if each.name in VENDORS) if oauth2.enabled else ()
    return [_render_provider(set_up(each)) for each in known]


def _render_provider(provider: Provider) -> dict[str, str]:
    offer = make_offer(provider)
    return {
        "name": provider.name,
        "displayName": provider.display_name,
        "logo": provider.logo,
        "state": offer.state,
        "authURL": offer.url,
        "authUrl": offer.url,
        "codeVerifier": offer.verifier,
        "codeChallenge": offer.challenge,
        "codeChallengeMethod": offer.challenge_method,
    }
