"""An authenticator in software, with a browser around it: makes passkeys, uses them, and lies on request."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

ORIGIN = "https://app.example.com"
PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40
Json = dict[str, Any]


@dataclass
class Lie:
    """What an answer says in place of the truth; None is the truth."""

    origin: str | None = None
    party: str | None = None
    challenge: str | None = None
    kind: str | None = None
    flags: int | None = None
    counter: int | None = None
    algorithm: int | None = None
    credential: str | None = None
    handle: str | None = None
    breaks_signature: bool = False
    changes_client_data: bool = False
    crosses_origins: bool = False


@dataclass
class Authenticator:
    """A device with one passkey, on a page at an origin. Without `counts` its counter stays 0."""

    origin: str = ORIGIN
    counts: bool = True
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    handle: str = ""
    counter: int = 0

    def create(self, options: Json, lie: Lie | None = None) -> Json:
        """What `navigator.credentials.create()` brings, as JSON."""
        lie = lie or Lie()
        self.handle = options["user"]["id"]
        data = self._client_data("webauthn.create", options["challenge"], lie)
        credential = len(self.credential).to_bytes(2, "big") + self.credential
        body = bytes(16) + credential + cbor2.dumps(self._public_key(lie))
        told = self._told(options["rp"]["id"], lie, HAS_KEY) + body
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": told})
        response = {"clientDataJSON": encode(data), "attestationObject": encode(made), "transports": ["internal"]}
        return self._brought(response, lie)

    def get(self, options: Json, lie: Lie | None = None) -> Json:
        """What `navigator.credentials.get()` brings, as JSON."""
        lie = lie or Lie()
        self.counter += self.counts
        data = self._client_data("webauthn.get", options["challenge"], lie)
        told = self._told(options["rpId"], lie)
        signed = self.key.sign(told + hashlib.sha256(data).digest(), ec.ECDSA(hashes.SHA256()))
        if lie.breaks_signature:
            signed = signed[:-1] + bytes([signed[-1] ^ 1])
        if lie.changes_client_data:
            data = data.replace(b"}", b',"more":1}')
        response = {"clientDataJSON": encode(data), "authenticatorData": encode(told), "signature": encode(signed)}
        handle = self.handle if lie.handle is None else lie.handle
        return self._brought(response | ({"userHandle": handle} if handle else {}), lie)

    def _client_data(self, kind: str, challenge: str, lie: Lie) -> bytes:
        return json.dumps(
            {
                "type": lie.kind or kind,
                "challenge": lie.challenge or challenge,
                "origin": lie.origin or self.origin,
                "crossOrigin": lie.crosses_origins,
            }
        ).encode()

    def _told(self, party: str, lie: Lie, more: int = 0) -> bytes:
        flags = (PRESENT | VERIFIED if lie.flags is None else lie.flags) | more
        counter = self.counter if lie.counter is None else lie.counter
        return hashlib.sha256((lie.party or party).encode()).digest() + bytes([flags]) + counter.to_bytes(4, "big")

    def _public_key(self, lie: Lie) -> dict[int, Any]:
        point = self.key.public_key().public_numbers()
        x, y = (part.to_bytes(32, "big") for part in (point.x, point.y))
        return {1: 2, 3: lie.algorithm or -7, -1: 1, -2: x, -3: y}

    def _brought(self, response: Json, lie: Lie) -> Json:
        name = lie.credential or encode(self.credential)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}


def encode(raw: bytes) -> str:
    """Bytes as base64url, without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes behind base64url."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
