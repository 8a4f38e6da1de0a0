"""ID tokens: what a provider says of somebody, in writing.

How a token may be signed, by whom and for whom is said by the configuration alone: nothing that is
decided here is decided by the token, but which of the provider's own keys it is looked at with.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, GuestProtocol, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry, decode

LEEWAY: Final = 60  # seconds that clocks may differ
_WEAKEST: Final = 2048  # bits of an RSA key
_LONGEST: Final = 64 * 1024
_LONGEST_HEADER: Final = 8192
_CURVES: Final = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",), "Ed25519": ("EdDSA", "Ed25519")}


_PublicKey = tuple[Key, dict[str, Any]]
"""A key, and what the provider says of it."""


class BadIdTokenError(Exception):
    """The token proves nothing; the text says why, to the operator."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must be: `{tid}` in an issuer stands for what the token says under that name.

    `nonce` is empty where none was sent; with `may_lack_nonce` a token without any is taken, if it says
    that the provider has none for it.
    """

    issuers: Sequence[str]
    client_id: str
    algorithms: Sequence[str]
    nonce: str = ""
    may_lack_nonce: bool = False


def read_id_token(token: str, keys: Any, expected: Expected) -> dict[str, Any]:
    """The claims of a token, which is believed. Raises `BadIdTokenError`."""
    if not expected.issuers:
        raise BadIdTokenError("nobody has said whose tokens are believed: set extra.issuers and extra.jwksURL")
    if not token.isascii() or len(token) > _LONGEST:
        raise BadIdTokenError("it is no token")
    own = _import_keys(keys)
    try:
        # The set has no symmetric keys, so a public key cannot be taken for one.
        read = decode(token, lambda signed: _choose(own, signed), registry=_Registry(expected.algorithms))
        _check(read.claims, expected)
        # Once more through JSON proper: what is no JSON, or no Unicode, nobody can keep.
        claims: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(read.claims))
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise BadIdTokenError(f"{type(error).__name__}: {error}") from error
    return claims


class _Registry(JWSRegistry):
    """The algorithms of the configuration, and no others."""

    def __init__(self, algorithms: Sequence[str]) -> None:
        super().__init__(algorithms=tuple(algorithms), strict_check_header=False)
        self.max_header_length = _LONGEST_HEADER

    def get_alg(self, name: str) -> Any:
        if name not in (self.allowed or ()):
            raise ValueError(f"it is signed by {name[:40]!r}")
        return self.algorithms[name]


def _import_keys(keys: Any) -> list[_PublicKey]:
    """The keys of a set that can have signed something, and what is said of them."""
    listed = keys.get("keys") if isinstance(keys, dict) else None
    found: list[_PublicKey] = []
    for told in listed if isinstance(listed, list) else ():
        if isinstance(told, dict) and told.get("use", "sig") == "sig" and not _is_weak(told):
            try:
                key = JWKRegistry.import_key({name: told[name] for name in _PUBLIC if name in told})
            except (JoseError, ValueError, TypeError, KeyError):
                continue  # one that nobody understands does not spoil the others
            if isinstance(key, RSAKey | ECKey | OKPKey):
                found.append((key, told))
    return found


_PUBLIC: Final = ("kty", "n", "e", "crv", "x", "y")


def _is_weak(told: dict[str, Any]) -> bool:
    modulus = told.get("n")
    if told.get("kty") != "RSA" or not isinstance(modulus, str):
        return False
    try:
        raw = urlsafe_b64decode(modulus.encode() + b"=" * (-len(modulus) % 4))
    except (NotBase64, ValueError):
        return True
    return int.from_bytes(raw, "big").bit_length() < _WEAKEST


def _choose(own: list[_PublicKey], signed: GuestProtocol) -> Key:
    """The key that a token names; where the provider has only one, it need not be named."""
    headers = signed.headers()
    kid, alg = headers.get("kid"), headers.get("alg")
    fitting = [key for key, told in own if kid is None or told.get("kid") == kid]
    if len(fitting) != 1:
        raise ValueError("it names no key of the provider")
    told = next(told for key, told in own if key is fitting[0])
    if told.get("alg", alg) != alg or alg not in _CURVES.get(str(told.get("crv", "")), (alg,)):
        raise ValueError("its key signs in another way")
    return fitting[0]


def _check(claims: dict[str, Any], expected: Expected) -> None:
    tid = claims.get("tid")
    issuers = [issuer.replace("{tid}", tid if isinstance(tid, str) and tid else "-") for issuer in expected.issuers]
    registry = JWTClaimsRegistry(
        leeway=LEEWAY,
        iss={"essential": True, "values": list(issuers)},
        aud={"essential": True, "value": expected.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    registry.validate(claims)
    azp, is_for_several = claims.get("azp"), isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (azp is not None or is_for_several) and azp != expected.client_id:
        raise ValueError("it was made for another client")
    may_lack_it = expected.may_lack_nonce and _has_no_nonce(claims)
    if expected.nonce and not may_lack_it and claims.get("nonce") != expected.nonce:
        raise ValueError("its nonce is of another request")


def _has_no_nonce(claims: dict[str, Any]) -> bool:
    """Whether a token says that nonces are not for it, as Apple's do."""
    return "nonce" not in claims and claims.get("nonce_supported") is not True
