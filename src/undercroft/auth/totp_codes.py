"""Codes of authenticator apps (RFC 6238): six digits from a shared secret and the time, others every 30 seconds."""

from __future__ import annotations

import hmac
import secrets
from base64 import b32decode, b32encode
from typing import Final
from urllib.parse import quote, urlencode

PERIOD: Final = 30  # seconds
DIGITS: Final = 6
_DRIFT: Final = 1  # steps that a clock may be off
_BYTES: Final = 20  # RFC 4226, 4: as long as the hash


SEED_LENGTH: Final = _BYTES * 8 // 5  # characters of base32


def new_seed() -> str:
    """A new secret, in base32 as apps take it."""
    return b32encode(secrets.token_bytes(_BYTES)).decode()


def code_at(seed: str, step: int) -> str:
    """The code of one step, counted from 1970."""
    digest = hmac.digest(b32decode(seed), step.to_bytes(8, "big"), "sha1")
    at = digest[-1] & 15
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def matching_steps(seed: str, code: str, moment: float) -> list[int]:
    """The steps around a moment whose code it is, oldest first."""
    now = int(moment) // PERIOD
    given = code.encode(errors="surrogatepass")
    steps = range(now - _DRIFT, now + _DRIFT + 1)
    return [step for step in steps if hmac.compare_digest(code_at(seed, step).encode(), given)]


def seed_uri(seed: str, issuer: str, account: str) -> str:
    """What apps read from a QR code: the secret, and what to call it."""
    label = quote(f"{issuer}:{account}", safe="")
    told = {"secret": seed, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": PERIOD}
    return f"otpauth://totp/{label}?{urlencode(told, quote_via=quote)}"
