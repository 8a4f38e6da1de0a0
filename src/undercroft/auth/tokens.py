"""Tokens: signed statements of who someone is, that nothing needs to be stored for.

A token is a compact JWT (RFC 7519) signed with HS256. Its key is the record's
`tokenKey` followed by the collection's secret for that kind, so a new key on
either side ends all tokens it signed, and a token of one kind never verifies as
another. Reading happens in two steps: `read_claims` says whom the token speaks
of, so that the record can be found, and `verify` says whether to believe it.

Every signed-in request comes through here, which is why the few lines of HS256
are written out: both steps take 7 µs, with joserfc 53 µs (a key object for each
record, two parses) and its import of cryptography at start. What makes hand-written
verification go wrong is freedom, and there is none: the header is compared byte
for byte with the only one we issue, so a token cannot choose its algorithm or key;
the signature is compared as text, so it has one spelling only; the claims are a
typed struct in which `type`, `id`, `collectionId` and `exp` are required. The tests
hold both directions against joserfc.
"""

from __future__ import annotations

import hmac
import time
from base64 import urlsafe_b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from undercroft.collections.collection import Collection
from undercroft.collections.options import AuthOptions, TokenOptions

Kind = Literal["auth", "file", "verification", "passwordReset", "emailChange"]
Claim = bool | str | float | None
LONGEST: Final = 4096  # characters; ours have about 250
_HEADER: Final = urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")

_OPTIONS: Final[Mapping[str, Callable[[AuthOptions], TokenOptions]]] = {
    "auth": lambda auth: auth.auth_token,
    "file": lambda auth: auth.file_token,
    "verification": lambda auth: auth.verification_token,
    "passwordReset": lambda auth: auth.password_reset_token,
    "emailChange": lambda auth: auth.email_change_token,
}


class Claims(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a token says. Unless the token verifies, anyone may have written it.

    `iat` is when somebody signed in for it (seconds since 1970), or for the token that it was had with; tokens that
    speak for somebody else have none. `under` is what a token for files was had with, where that was no token: how
    an API key begins, or what a session is kept under.
    """

    collection_id: str
    exp: int
    id: str
    type: Kind
    refreshable: bool | None = None
    email: str = ""
    new_email: str = ""
    iat: int | float | None = None
    under: str = ""


_decode_claims = msgspec.json.Decoder(Claims).decode
_encode_claims = msgspec.json.Encoder(order="sorted").encode


def issue(kind: Kind, collection: Collection, record: Mapping[str, Any], duration: int = 0, **claims: Claim) -> str:
    """A new token about a record, for `duration` seconds or as long as its collection says.

    `claims` are `refreshable` and `iat` for the kind `auth`, `iat` and `under` for the kind `file`, `email` and
    `new_email` for those sent by mail.
    """
    seconds = duration or token_options(collection, kind).duration
    exp = int(time.time()) + seconds
    says = Claims(collection_id=collection.id, exp=exp, id=record["id"], type=kind, **claims)  # type: ignore[arg-type]
    signed = _HEADER + b"." + _to_base64(_encode_claims(says))
    return (signed + b"." + _sign(signed, _key(kind, collection, record))).decode()


def read_claims(token: str) -> Claims | None:
    """What a token says, not yet believed; None when it is none of ours or has expired."""
    claims = read_any_claims(token)
    return claims if claims is not None and claims.exp > time.time() else None


def read_any_claims(token: str) -> Claims | None:
    """What a token says, or said before it expired, not yet believed; None when it is none of ours."""
    if len(token) > LONGEST or not token.isascii():
        return None
    parts = token.encode().split(b".")
    if len(parts) != 3 or parts[0] != _HEADER:
        return None
    try:
        return _decode_claims(_from_base64(parts[1]))
    except (msgspec.DecodeError, Base64Error, UnicodeDecodeError):
        return None


def verify(token: str, collection: Collection, record: Mapping[str, Any], kind: Kind) -> bool:
    """Whether a token of that kind was issued for that record and is still good."""
    claims = read_claims(token)
    if claims is None or claims.type != kind or claims.id != record["id"] or claims.collection_id != collection.id:
        return False
    if not record["tokenKey"] or not token_options(collection, kind).secret:
        return False
    signed, _, signature = token.encode().rpartition(b".")
    return hmac.compare_digest(_sign(signed, _key(kind, collection, record)), signature)


def token_options(collection: Collection, kind: Kind) -> TokenOptions:
    """The collection's options for a kind of token."""
    if collection.auth is None:
        raise TypeError(collection.name)
    return _OPTIONS[kind](collection.auth)


def _key(kind: Kind, collection: Collection, record: Mapping[str, Any]) -> bytes:
    token_key: str = record["tokenKey"]
    return (token_key + token_options(collection, kind).secret).encode()


def _sign(signed: bytes, key: bytes) -> bytes:
    # `hmac.digest` lets go of the interpreter lock, and getting it back among busy threads costs more than the hash.
    return _to_base64(hmac.new(key, signed, "sha256").digest())


def _to_base64(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _from_base64(text: bytes) -> bytes:
    """The bytes behind base64url without padding. Raises `binascii.Error` for any other spelling."""
    if b"+" in text or b"/" in text:
        raise Base64Error
    padding = b"=" * (-len(text) % 4)
    raw = a2b_base64(text.translate(_URL_TO_STANDARD) + padding, strict_mode=True)
    if _to_base64(raw) != text:
        raise Base64Error
    return raw


_URL_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
