"""The first step: the URL at which somebody tells a provider that we may know them.

Whoever sends them there keeps the verifier, and brings it along with the code that comes back. By it
the provider sees that code and request belong together (PKCE), and we see that the ID token does: the
nonce in it is made from the verifier, so that nothing needs to be remembered here.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlencode

from undercroft.auth.oauth2.provider import Provider
from undercroft.ids import random_text

_STATE_LENGTH = 30
_VERIFIER_LENGTH = 43  # characters of 62 kinds: 256 bits; RFC 7636 wants 43 at least


@dataclass(frozen=True, slots=True)
class Offer:
    """A way to a provider, to be gone once. The URL wants to be told at its end where to come back to."""

    state: str
    url: str
    verifier: str
    challenge: str
    challenge_method: str


def make_offer(provider: Provider) -> Offer:
    """A new way to a provider."""
    state = random_text(_STATE_LENGTH)
    verifier = random_text(_VERIFIER_LENGTH) if provider.pkce else ""
    challenge = _digest(verifier) if verifier else ""
    method = "S256" if verifier else ""
    wanted = {
        "client_id": provider.client_id,
        "code_challenge": challenge,
        "code_challenge_method": method,
        "nonce": nonce_of(verifier) if provider.has_nonce else "",
        **provider.vendor.parameters,
        "response_type": "code",
        "scope": " ".join(provider.vendor.scopes),
        "state": state,
    }
    asked = urlencode({name: value for name, value in wanted.items() if value})
    separator = "&" if "?" in provider.auth_url else "?"
    return Offer(state, f"{provider.auth_url}{separator}{asked}&redirect_uri=", verifier, challenge, method)


def nonce_of(verifier: str) -> str:
    """What an ID token must say that is an answer to the request with this verifier."""
    return _digest(f"nonce {verifier}")


def _digest(text: str) -> str:
    return urlsafe_b64encode(sha256(text.encode("utf-8", "surrogatepass")).digest()).rstrip(b"=").decode()
