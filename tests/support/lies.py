"""ID tokens that nobody should believe: what is said in them is wrong, or who has signed them, or how."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from idp import CLIENT, KEY
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

Claims = dict[str, Any]
STRANGER = RSAKey.generate_key(2048, {"kid": "key-1", "alg": "RS256", "use": "sig"})
"""Somebody else's key, under the name of the provider's."""
BARE = RSAKey.import_key(
    {name: value for name, value in KEY.as_dict(private=True).items() if name not in ("alg", "use")}
)
"""The provider's own key, without the word how it signs."""
CURVE = ECKey.generate_key("P-256", {"kid": "key-2", "alg": "ES256", "use": "sig"})
EDWARDS = OKPKey.generate_key("Ed25519", {"kid": "key-3", "use": "sig"})


def to_base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def to_json(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def signed(claims: Any, key: Any = KEY, **header: Any) -> str:
    """Claims signed by a key, under a header."""
    known = {"alg": "RS256", "kid": key.kid} | header
    told = {name: value for name, value in known.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=list(jws.JWSRegistry.algorithms), strict_check_header=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of these ways to sign are out of use
        return jws.serialize_compact(told, to_json(claims), key, registry=registry)


def by_hand(claims: Claims, header: dict[str, Any], signature: bytes = b"") -> str:
    return ".".join((to_base64(to_json(header)), to_base64(to_json(claims)), to_base64(signature)))


def hashed(claims: Claims, key: bytes, **header: Any) -> str:
    """Claims under an HMAC of any key."""
    told = by_hand(claims, {"alg": "HS256", "typ": "JWT"} | header).rpartition(".")[0]
    return f"{told}.{to_base64(hmac.digest(key, told.encode(), hashlib.sha256))}"


def without(claims: Claims, *names: str) -> Claims:
    return {name: value for name, value in claims.items() if name not in names}


def now(seconds: int = 0) -> int:
    return int(time.time()) + seconds


WRONG_CLAIMS: dict[str, Callable[[Claims], Any]] = {
    "another issuer": lambda c: c | {"iss": "https://evil.example.com"},
    "an issuer that begins alike": lambda c: c | {"iss": c["iss"] + ".evil.example.com"},
    "an issuer with a slash more": lambda c: c | {"iss": c["iss"] + "/"},
    "no issuer": lambda c: without(c, "iss"),
    "a list of issuers": lambda c: c | {"iss": [c["iss"]]},
    "an empty issuer": lambda c: c | {"iss": ""},
    "for another client": lambda c: c | {"aud": "their-client"},
    "for nobody": lambda c: without(c, "aud"),
    "for an empty list": lambda c: c | {"aud": []},
    "for several, and who asked is not said": lambda c: c | {"aud": [CLIENT, "their-client"]},
    "asked for by another client": lambda c: c | {"aud": [CLIENT, "their-client"], "azp": "their-client"},
    "asked for by another client alone": lambda c: c | {"azp": "their-client"},
    "for an object": lambda c: c | {"aud": {"a": CLIENT}},
    "expired": lambda c: c | {"exp": now(-61)},
    "expired long ago": lambda c: c | {"exp": 0},
    "without an end": lambda c: without(c, "exp"),
    "an end that is null": lambda c: c | {"exp": None},
    "an end that is text": lambda c: c | {"exp": str(now(300))},
    "an end that is yes": lambda c: c | {"exp": True},
    "an end that is infinite": lambda c: to_json(c | {"exp": "@"}).replace(b'"@"', b"Infinity"),
    "an end that is no number": lambda c: to_json(c | {"exp": "@"}).replace(b'"@"', b"NaN"),
    "issued in the future": lambda c: c | {"iat": now(90), "exp": now(900)},
    "issued at no time": lambda c: without(c, "iat"),
    "issued at a text": lambda c: c | {"iat": str(now())},
    "not yet good": lambda c: c | {"nbf": now(90)},
    "good from a text on": lambda c: c | {"nbf": "tomorrow"},
    "a nonce of another request": lambda c: c | {"nonce": "n" * 43},
    "no nonce": lambda c: without(c, "nonce"),
    "a nonce in a list": lambda c: c | {"nonce": [c["nonce"]]},
    "no nonce, and the word that there is none": lambda c: without(c, "nonce") | {"nonce_supported": False},
    "about nobody": lambda c: without(c, "sub"),
    "about an empty text": lambda c: c | {"sub": ""},
    "about a number": lambda c: c | {"sub": 5},
    "a list": lambda c: [c],
    "no JSON": lambda _: b"{",
    "no UTF-8": lambda c: to_json(c).replace(b"ada-1", b"\xff\xfe"),
    "half a character": lambda c: to_json(c).replace(b"ada-1", b"\\ud800"),
    "very deep": lambda _: b'{"a":' + b"[" * 20_000,
    "very long": lambda c: c | {"x": "x" * 200_000},
}

FORGED: dict[str, Callable[[Claims], str]] = {
    "alg none": lambda c: by_hand(c, {"alg": "none"}),
    "alg None": lambda c: by_hand(c, {"alg": "None", "kid": "key-1"}),
    "alg nOnE, with a signature": lambda c: by_hand(c, {"alg": "nOnE"}, b"x" * 256),
    "no alg": lambda c: by_hand(c, {"kid": "key-1"}, b"x" * 256),
    "alg a list": lambda c: by_hand(c, {"alg": ["RS256"], "kid": "key-1"}, b"x" * 256),
    "alg unknown": lambda c: by_hand(c, {"alg": "XX999", "kid": "key-1"}, b"x" * 256),
    "HS256 under the public key in PEM": lambda c: hashed(c, KEY.as_pem(private=False), kid="key-1"),
    "HS256 under the public key as JSON": lambda c: hashed(c, to_json(KEY.as_dict(private=False)), kid="key-1"),
    "HS256 under the modulus": lambda c: hashed(c, KEY.as_dict(private=False)["n"].encode(), kid="key-1"),
    "HS256 under nothing": lambda c: hashed(c, b"", kid="key-1"),
    "HS256 under the client's secret": lambda c: hashed(c, b"our/secret+with spaces", kid="key-1"),
    "HS256 under an empty file": lambda c: hashed(c, b"", kid="../../../../dev/null"),
    "kid with SQL": lambda c: signed(c, STRANGER, kid="key-1' UNION SELECT 'x"),
    "kid a number": lambda c: by_hand(c, {"alg": "RS256", "kid": 1}, b"x" * 256),
    "kid of nobody": lambda c: signed(c, KEY, kid="key-9"),
    "a stranger's key": lambda c: signed(c, STRANGER),
    "a stranger's key, not named": lambda c: signed(c, STRANGER, kid=None),
    "a stranger's key in the header": lambda c: signed(c, STRANGER, jwk=STRANGER.as_dict(private=False)),
    "a stranger's key at a URL": lambda c: signed(c, STRANGER, jku="https://evil.example.com/keys"),
    "a stranger's certificate": lambda c: signed(c, STRANGER, x5u="https://evil.example.com/cert", x5c=["MIIB"]),
    "another algorithm of the same key": lambda c: signed(c, BARE, alg="RS512"),
    "PS256 of a key for RS256": lambda c: signed(c, BARE, alg="PS256"),
    "ES256 with r and s zero": lambda c: by_hand(c, {"alg": "ES256", "kid": "key-2"}, b"\0" * 64),
    "ES256 with r and s of the order": lambda c: by_hand(c, {"alg": "ES256", "kid": "key-2"}, _ORDER * 2),
    "ES256 under the name of an RSA key": lambda c: signed(c, CURVE, alg="ES256", kid="key-1"),
    "RS256 under the name of an EC key": lambda c: signed(c, KEY, kid="key-2"),
    "something critical that nobody knows": lambda c: by_hand(
        c, {"alg": "RS256", "kid": "key-1", "crit": ["x-evil"], "x-evil": 1}, b"x" * 256
    ),
    "a key that is not published": lambda c: signed(c, EDWARDS, alg="Ed25519"),
    "signature of another token": lambda c: ".".join(
        (*signed(c | {"sub": "eve-1"}).split(".")[:2], signed(c).split(".")[2])
    ),
    "signature cut": lambda c: signed(c)[:-8],
    "signature missing": lambda c: signed(c).rpartition(".")[0] + ".",
    "two parts": lambda c: signed(c).rpartition(".")[0],
    "four parts": lambda c: signed(c) + ".x",
    "encrypted": lambda c: signed(c) + ".x.y",
    "no token": lambda _: "",
    "a line break": lambda c: signed(c).replace(".", ".\n", 1),
    "letters beyond ASCII": lambda c: signed(c).replace("e", "е"),
}
_ORDER = bytes.fromhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
SECRET_KEY = OctKey.import_key({"kty": "oct", "k": to_base64(b"k" * 32), "kid": "key-6"})


def lie(claims: Claims, name: str) -> str:
    """The token of that name."""
    if name in FORGED:
        return FORGED[name](claims)
    return signed(WRONG_CLAIMS[name](claims))


def honest(claims: Claims) -> str:
    """A token to be believed."""
    return jwt.encode({"alg": "RS256", "kid": KEY.kid}, claims, KEY)
