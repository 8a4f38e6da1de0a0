"""Tokens that nobody should believe, made from one that is good."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

JWT = {"alg": "HS256", "typ": "JWT"}


@dataclass(frozen=True)
class Target:
    """A good token, what it says, and the two halves of its key."""

    token: str
    claims: dict[str, Any]
    token_key: str
    secret: str

    @property
    def key(self) -> bytes:
        return (self.token_key + self.secret).encode()

    def parts(self) -> list[str]:
        return self.token.split(".")


def to_base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def to_json(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def sign(claims: Any, key: bytes, header: Any = None, digest: str = "sha256") -> str:
    """A compact JWT of any header and claims, signed with any key."""
    signed = to_base64(to_json(header or JWT)) + "." + to_base64(to_json(claims))
    return signed + "." + to_base64(hmac.digest(key, signed.encode(), digest))


def unsigned(target: Target, alg: str, signature: str = "") -> str:
    return to_base64(to_json({"alg": alg, "typ": "JWT"})) + "." + target.parts()[1] + "." + signature


def altered(target: Target, **claims: Any) -> str:
    """Other claims under the signature of the good ones."""
    header, _, signature = target.parts()
    return ".".join((header, to_base64(to_json(target.claims | claims)), signature))


def resigned(target: Target, **claims: Any) -> str:
    """Other claims, signed as they should be."""
    return sign(target.claims | claims, target.key)


def without(target: Target, name: str) -> str:
    return sign({key: value for key, value in target.claims.items() if key != name}, target.key)


def respelled_signature(target: Target) -> str:
    """The same signature bytes in another spelling: the last character has two bits to spare."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return target.token[:-1] + alphabet[alphabet.index(target.token[-1]) ^ 1]


def standard_alphabet(target: Target) -> str:
    """A token in base64 proper, with at least one of the two characters that differ."""
    signed, claims = "", dict(target.claims)
    for n in range(10_000):
        signed = sign(claims | {"email": f"~~~???{n}"}, target.key)
        if "-" in signed or "_" in signed:
            break
    return signed.replace("-", "+").replace("_", "/")


def confused_rsa(target: Target) -> str:
    """HMAC under a key that a verifier of RS256 would treat as public."""
    public = b"-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK\n-----END PUBLIC KEY-----\n"
    return sign(target.claims, public)


def with_header(target: Target, key: bytes | None = None, **header: Any) -> str:
    return sign(target.claims, target.key if key is None else key, JWT | header)


FORGERIES: dict[str, Callable[[Target], str]] = {
    "alg none, no signature": lambda t: unsigned(t, "none"),
    "alg None, no signature": lambda t: unsigned(t, "None"),
    "alg NONE, the old signature": lambda t: unsigned(t, "NONE", t.parts()[2]),
    "alg empty": lambda t: unsigned(t, ""),
    "no header alg": lambda t: sign(t.claims, t.key, {"typ": "JWT"}),
    "alg hs256 in small letters": lambda t: with_header(t, alg="hs256"),
    "alg HS384": lambda t: sign(t.claims, t.key, JWT | {"alg": "HS384"}, "sha384"),
    "alg HS512": lambda t: sign(t.claims, t.key, JWT | {"alg": "HS512"}, "sha512"),
    "alg RS256 with an HMAC": lambda t: with_header(t, alg="RS256"),
    "HMAC under a public key": confused_rsa,
    "ES256 with r and s zero": lambda t: unsigned(t, "ES256", to_base64(b"\x00" * 64)),
    "kid names a file, empty key": lambda t: with_header(t, b"", kid="../../../../dev/null"),
    "kid with SQL": lambda t: with_header(t, b"x", kid="x' UNION SELECT 'x' --"),
    "jku of someone else": lambda t: with_header(t, b"x", jku="https://example.com/keys.json"),
    "jwk in the header": lambda t: with_header(t, b"x", jwk={"kty": "oct", "k": to_base64(b"x")}),
    "x5u of someone else": lambda t: with_header(t, b"x", x5u="https://example.com/cert.pem"),
    "crit with something unknown": lambda t: with_header(t, crit=["b64"], b64=False),
    "typ is no JWT": lambda t: with_header(t, typ="at+jwt"),
    "header in another order": lambda t: sign(t.claims, t.key, {"typ": "JWT", "alg": "HS256"}),
    "empty key": lambda t: sign(t.claims, b""),
    "the collection's secret alone": lambda t: sign(t.claims, t.secret.encode()),
    "the record's key alone": lambda t: sign(t.claims, t.token_key.encode()),
    "both halves swapped": lambda t: sign(t.claims, (t.secret + t.token_key).encode()),
    "another record's id": lambda t: altered(t, id="someoneelse0000"),
    "a later exp": lambda t: altered(t, exp=t.claims["exp"] + 1),
    "renewable flipped": lambda t: altered(t, refreshable=False),
    "signature in another spelling": respelled_signature,
    "signature padded": lambda t: t.token + "=",
    "signature missing": lambda t: ".".join(t.parts()[:2]) + ".",
    "two parts": lambda t: ".".join(t.parts()[:2]),
    "four parts": lambda t: t.token + ".",
    "five parts, as an encrypted one": lambda t: t.token + ".x.y",
    "signature of SHA-1": lambda t: (
        ".".join(t.parts()[:2]) + "." + to_base64(hmac.new(t.key, b"", hashlib.sha1).digest())
    ),
    "base64 proper": standard_alphabet,
    "a line break inside": lambda t: t.token.replace(".", ".\n", 1),
    "a space after": lambda t: t.token + " ",
    "a NUL after": lambda t: t.token + "\x00",
    "letters beyond ASCII": lambda t: t.token.replace("e", "е"),
    "JSON serialization": lambda t: json.dumps(
        dict(zip(("protected", "payload", "signature"), t.parts(), strict=True))
    ),
    "exp in the past": lambda t: resigned(t, exp=int(time.time()) - 1),
    "exp now": lambda t: resigned(t, exp=int(time.time())),
    "exp zero": lambda t: resigned(t, exp=0),
    "exp missing": lambda t: without(t, "exp"),
    "exp null": lambda t: resigned(t, exp=None),
    "exp as text": lambda t: resigned(t, exp="9999999999"),
    "exp a fraction": lambda t: resigned(t, exp=t.claims["exp"] + 0.5),
    "exp infinite": lambda t: sign(to_json(t.claims).replace(str(t.claims["exp"]).encode(), b"1e999"), t.key),
    "type missing": lambda t: without(t, "type"),
    "type unknown": lambda t: resigned(t, type="session"),
    "type a list": lambda t: resigned(t, type=["auth"]),
    "id missing": lambda t: without(t, "id"),
    "id a list": lambda t: resigned(t, id=[t.claims["id"]]),
    "collection missing": lambda t: without(t, "collectionId"),
    "another collection": lambda t: resigned(t, collectionId="_pb_users_auth_"),
    "claims a list": lambda t: sign([t.claims], t.key),
    "claims no JSON": lambda t: sign(b"{", t.key),
    "claims no UTF-8": lambda t: sign(to_json(t.claims).replace(b"auth", b"\xff\xfe"), t.key),
    "claims with text after": lambda t: sign(to_json(t.claims) + b"{}", t.key),
    "very long": lambda t: resigned(t, email="x" * 10_000),
}
