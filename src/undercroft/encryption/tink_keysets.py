"""A key set as Google Tink reads it, in clear: with it, any program that has Tink opens what is stored.

The binary form is the protobuf message `google.crypto.tink.Keyset`, the text form the JSON of the same. Keys that
were destroyed are left out; a pending one is enabled there, and not primary. Values are sealed with the prefix of
Tink, fingerprints and streams without one.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from undercroft.encryption.blind_index import INDEX_BYTES
from undercroft.encryption.keyset import KEY_BYTES, Algorithm, Key, KeySet
from undercroft.encryption.streams import SEGMENT

_TYPE_URL: Final = "type.googleapis.com/google.crypto.tink."
_SYMMETRIC: Final = 1
_SHA256: Final = 3
_LENGTH_DELIMITED: Final = 2
_PREFIXES: Final = {"TINK": 1, "RAW": 3}
_STATES: Final = {"pending": ("ENABLED", 1), "enabled": ("ENABLED", 1), "disabled": ("DISABLED", 2)}


@dataclass(frozen=True, slots=True)
class _Kind:
    """What Tink calls a key of an algorithm, what it puts before what the key makes, and its message."""

    name: str
    prefix: str
    message: Callable[[bytes], bytes]


def to_binary(keys: KeySet) -> bytes:
    """The key set for Tink's binary reader. It holds the keys in clear."""
    return _number(1, keys.primary_id) + b"".join(_bytes(2, _key_message(key)) for key in _kept(keys))


def to_json(keys: KeySet) -> str:
    """The key set for Tink's JSON reader. It holds the keys in clear."""
    entries = [_key_entry(key) for key in _kept(keys)]
    return json.dumps({"primaryKeyId": keys.primary_id, "key": entries}, indent=2)


def _kept(keys: KeySet) -> list[Key]:
    return [key for key in keys.keys if key.state != "destroyed"]


def _key_entry(key: Key) -> dict[str, object]:
    kind = _KINDS[key.algorithm]
    return {
        "keyData": {
            "typeUrl": _TYPE_URL + kind.name,
            "value": b64encode(kind.message(key.material)).decode(),
            "keyMaterialType": "SYMMETRIC",
        },
        "status": _STATES[key.state][0],
        "keyId": key.id,
        "outputPrefixType": kind.prefix,
    }


def _key_message(key: Key) -> bytes:
    kind = _KINDS[key.algorithm]
    url = (_TYPE_URL + kind.name).encode()
    data = _bytes(1, url) + _bytes(2, kind.message(key.material)) + _number(3, _SYMMETRIC)
    state, prefix = _STATES[key.state][1], _PREFIXES[kind.prefix]
    return _bytes(1, data) + _number(2, state) + _number(3, key.id) + _number(4, prefix)


def _aead(material: bytes) -> bytes:
    return _bytes(3, material)


def _hmac(material: bytes) -> bytes:
    return _bytes(2, _number(1, _SHA256) + _number(2, INDEX_BYTES)) + _bytes(3, material)


def _stream(material: bytes) -> bytes:
    return _bytes(2, _number(1, SEGMENT) + _number(2, KEY_BYTES) + _number(3, _SHA256)) + _bytes(3, material)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | _LENGTH_DELIMITED) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


_KINDS: Final[Mapping[Algorithm, _Kind]] = {
    "AES256_GCM": _Kind("AesGcmKey", "TINK", _aead),
    "AES256_GCM_SIV": _Kind("AesGcmSivKey", "TINK", _aead),
    "HMAC_SHA256_128": _Kind("HmacKey", "RAW", _hmac),
    "AES256_GCM_HKDF_STREAM": _Kind("AesGcmHkdfStreamingKey", "RAW", _stream),
}
