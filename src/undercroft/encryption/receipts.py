"""Receipts of erasures: what was erased and when, signed so that whoever holds one can have it checked.

A receipt is a JSON object. Its `signature` is that of Ed25519 over the JSON of all the rest, with sorted keys, without
spaces, in UTF-8; `publicKey` is what verifies it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec.structs import replace

from undercroft.errors import BadRequest

KIND: Final = "undercroft erasure 1"


class BadReceipt(BadRequest):
    """A receipt is none, or it is not as it was signed, or another server signed it."""

    code = "bad_receipt"


class Receipt(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What was erased: the keys of a subject, of an app, at a moment.

    `collection` is the id of the collection whose record the subject is, empty where a text names it; `keys` are the
    ids of its keys; `values` says in how many records each field held values, as `COLLECTION/FIELD` by ids.
    """

    kind: str = KIND
    app: str
    collection: str
    subject: str
    keys: Sequence[int]
    values: Mapping[str, int]
    at: str
    by: str
    public_key: str = ""
    signature: str = ""

    @property
    def scope(self) -> str:
        """The scope of the keys that were erased."""
        return f"{self.collection}/{self.subject}"


def public_key_text(signer: Ed25519PrivateKey) -> str:
    """What verifies the receipts that a key signs."""
    return b64encode(signer.public_key().public_bytes_raw()).decode()


def sign(receipt: Receipt, signer: Ed25519PrivateKey) -> Receipt:
    """The receipt with the key that verifies it, and its signature."""
    named = replace(receipt, public_key=public_key_text(signer), signature="")
    return replace(named, signature=b64encode(signer.sign(_signed_bytes(named))).decode())


def verify(receipt: Receipt, public_key: str = "") -> None:
    """Nothing, if a receipt is as it was signed, with this key if one is given. Raises `BadReceipt`."""
    try:
        public = Ed25519PublicKey.from_public_bytes(b64decode(receipt.public_key, validate=True))
        public.verify(b64decode(receipt.signature, validate=True), _signed_bytes(receipt))
    except (InvalidSignature, ValueError):
        raise BadReceipt("The receipt is not as it was signed.") from None
    if public_key and receipt.public_key != public_key:
        raise BadReceipt(f"The receipt was signed with another key, {receipt.public_key}, and not with {public_key}.")


def receipt_text(receipt: Receipt) -> str:
    """A receipt as one line of JSON."""
    return msgspec.json.encode(receipt).decode()


def parse_receipt(text: str | bytes) -> Receipt:
    """The receipt that a text is. Raises `BadReceipt`."""
    try:
        found = msgspec.json.decode(text, type=Receipt)
    except msgspec.DecodeError as error:
        raise BadReceipt(f"The text is no receipt: {error}.") from None
    if found.kind != KIND:
        raise BadReceipt(f"The receipt is of the kind {found.kind!r}, which is not known here.")
    return found


def _signed_bytes(receipt: Receipt) -> bytes:
    told: dict[str, Any] = msgspec.to_builtins(receipt)
    del told["signature"]
    return msgspec.json.encode(told, order="sorted")
