"""Field values, sealed one by one: `0x01 | key id | nonce | ciphertext | tag`, 33 bytes more than the value.

That is Tink's AEAD format, so any Tink opens what is written here, given the key set and what the value
is bound to: the app, the collection, the field and the record. A sealed value that is copied to another
cell does not open there. Putting an older value of the same cell back is not noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from secrets import token_bytes
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV

from undercroft.encryption.failures import BadKeySet, DecryptionFailed
from undercroft.encryption.keyset import Algorithm, Key, KeySet
from undercroft.encryption.place import FieldPlace

OVERHEAD: Final = 33
PREFIX_BYTES: Final = 5
_NONCE: Final = 12
_BODY: Final = PREFIX_BYTES + _NONCE
_MARK: Final = b"\x01"
_CIPHERS: Final[Mapping[Algorithm, type[AESGCM | AESGCMSIV]]] = {"AES256_GCM": AESGCM, "AES256_GCM_SIV": AESGCMSIV}

_Decrypt = Callable[[bytes, bytes, bytes], bytes]


class FieldCipher:
    """Seals and opens the values of one field with the keys it has at the moment. Raises `BadKeySet`.

    Make it once for each state of the key set and keep it: it holds the prepared ciphers.
    """

    def __init__(self, keys: KeySet, place: FieldPlace) -> None:
        self.keys = keys
        self.place = place
        self._prefix = key_prefix(keys.primary_id)
        ciphers = {key.id: _cipher(keys, key) for key in keys.keys if key.opens}
        self._encrypt = ciphers[keys.primary_id].encrypt
        self._decrypts: dict[bytes, _Decrypt] = {
            key_prefix(key_id): cipher.decrypt for key_id, cipher in ciphers.items()
        }

    def at(self, place: FieldPlace) -> FieldCipher:
        """The same prepared ciphers for the values of another field."""
        other = copy(self)
        other.place = place
        return other

    def seal(self, value: bytes, record_id: str) -> bytes:
        """The value as it is stored in the record of that id, under the primary key."""
        nonce = token_bytes(_NONCE)
        return self._prefix + nonce + self._encrypt(nonce, value, self.place.associated_data(record_id))

    def open(self, sealed: bytes, record_id: str) -> bytes:
        """The value that was sealed for this record.

        Raises `DecryptionFailed`, `UnknownKey`, `KeyDisabled` or `KeyDestroyed`.
        """
        decrypt = self._decrypts.get(sealed[:PREFIX_BYTES])
        if decrypt is None or len(sealed) < OVERHEAD:
            raise self._failure(sealed, record_id)
        try:
            return decrypt(sealed[PREFIX_BYTES:_BODY], sealed[_BODY:], self.place.associated_data(record_id))
        except InvalidTag:
            raise self._failed("The tag does not match.", record_id) from None

    def is_current(self, sealed: bytes) -> bool:
        """Whether a value is sealed with the primary key, going by its first bytes."""
        return sealed.startswith(self._prefix)

    def _failure(self, sealed: bytes, record_id: str) -> DecryptionFailed:
        """What is wrong with bytes that were not even tried; raises what the key set has to say of their key."""
        key_id = key_id_of(sealed)
        if key_id is not None:
            self.keys.opening(key_id)
        return self._failed("The value does not begin like a sealed one, or is too short.", record_id)

    def _failed(self, detail: str, record_id: str) -> DecryptionFailed:
        return DecryptionFailed(detail, self.place, record_id)


def key_id_of(sealed: bytes) -> int | None:
    """The id of the key that a value was sealed with, going by its first bytes; None when it is no sealed value."""
    if sealed[:1] != _MARK or len(sealed) < OVERHEAD:
        return None
    return int.from_bytes(sealed[1:PREFIX_BYTES], "big")


def key_prefix(key_id: int) -> bytes:
    """The bytes that everything sealed with a key begins with; a query can count by them."""
    return _MARK + key_id.to_bytes(4, "big")


def _cipher(keys: KeySet, key: Key) -> AESGCM | AESGCMSIV:
    if key.algorithm not in _CIPHERS:
        raise BadKeySet(keys.scope, f"has the key {key.id} for {key.algorithm}, which seals no values")
    return _CIPHERS[key.algorithm](key.material)
