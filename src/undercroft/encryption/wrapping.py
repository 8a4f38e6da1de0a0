"""Keys under a key: what is stored of a key set opens with the root key alone.

A root key of a version wraps each key with AES-256-GCM, in Tink's format with the version for the key id, bound to
what the key is for and what it is called. Beside it stands a check value of the root key, so that another root key
is told apart from a wrapped key that was altered; and since it binds the root key, none can be made that opens under
two. A passphrase is stretched into a root key by Argon2id; the check value then tells whether it was the right one.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Final
from unicodedata import normalize

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from undercroft.encryption.failures import DecryptionFailed, UnusablePassphrase, WrongRootKey
from undercroft.encryption.keyset import KEY_BYTES, Algorithm, Purpose
from undercroft.encryption.place import frame
from undercroft.encryption.values import OVERHEAD, PREFIX_BYTES, key_prefix

CHECK_BYTES: Final = 16
SALT_BYTES: Final = 16
_NONCE: Final = 12
_BODY: Final = PREFIX_BYTES + _NONCE
_CHECK: Final = b"uc1 root check"
_WRAP: Final = b"uc1wk"
_MOST_MEMORY: Final = 1024 * 1024  # KiB
_MOST_PASSES: Final = 20


@dataclass(frozen=True, slots=True)
class RootKey:
    """What wraps keys: 32 bytes, and the number of its version, from 1 on. Raises `ValueError` for others.

    `check` is a check value, which tells root keys apart and tells nothing of them: 32 hexadecimal digits.
    """

    version: int
    material: bytes = field(repr=False)
    check: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.material) != KEY_BYTES or not 0 < self.version < 2**32:
            raise ValueError(self.version)
        object.__setattr__(self, "check", self._check_value())

    def _check_value(self) -> str:
        derive = HKDF(SHA256(), CHECK_BYTES, salt=None, info=frame(_CHECK, self.version.to_bytes(4, "big")))
        return derive.derive(self.material).hex()


@dataclass(frozen=True, slots=True)
class KeyName:
    """Which key it is that is wrapped; it unwraps under this name alone."""

    purpose: Purpose
    scope: str
    key_id: int
    algorithm: Algorithm


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """What is stored in place of a key. `check` is that of the root key it was wrapped with."""

    root_version: int
    check: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Stretching:
    """How a passphrase becomes a root key: Argon2id with these; stored as it is, it is no secret."""

    salt: bytes
    memory: int = 64 * 1024  # KiB
    passes: int = 3
    lanes: int = 1


def wrap(material: bytes, name: KeyName, root: RootKey) -> WrappedKey:
    """What can be stored of a key."""
    nonce = token_bytes(_NONCE)
    sealed = AESGCM(root.material).encrypt(nonce, material, _bound_to(name, root))
    return WrappedKey(root.version, root.check, key_prefix(root.version) + nonce + sealed)


def unwrap(wrapped: WrappedKey, name: KeyName, root: RootKey) -> bytes:
    """The key. Raises `WrongRootKey` when it was wrapped with another one, `DecryptionFailed` when it was altered."""
    check_root(wrapped, name, root)
    sealed = wrapped.sealed
    if len(sealed) != OVERHEAD + KEY_BYTES or not sealed.startswith(key_prefix(root.version)):
        raise DecryptionFailed(f"The wrapped key {name.key_id} of {name.scope!r} is not one.")
    try:
        return AESGCM(root.material).decrypt(sealed[PREFIX_BYTES:_BODY], sealed[_BODY:], _bound_to(name, root))
    except InvalidTag:
        raise DecryptionFailed(f"The wrapped key {name.key_id} of {name.scope!r} is not as it was written.") from None


def check_root(wrapped: WrappedKey, name: KeyName, root: RootKey) -> None:
    """Nothing, if the root key is the one that the key was wrapped with. Raises `WrongRootKey`."""
    if wrapped.root_version != root.version or not hmac.compare_digest(wrapped.check, root.check):
        raise WrongRootKey(name.key_id, expected=wrapped.check, found=root.check)


def new_stretching() -> Stretching:
    """How the next passphrase is stretched: 64 MiB, three passes, a salt of its own."""
    return Stretching(token_bytes(SALT_BYTES))


def stretch(passphrase: str, how: Stretching, version: int) -> RootKey:
    """The root key that a passphrase stands for; slow on purpose, and blocking. Raises `UnusablePassphrase`.

    Whether the passphrase was right is known once its check value has been compared.
    """
    if not passphrase:
        raise UnusablePassphrase("A passphrase must not be empty.")
    if len(how.salt) != SALT_BYTES or not (8 * how.lanes <= how.memory <= _MOST_MEMORY and 1 <= how.lanes <= 4):
        raise UnusablePassphrase("The passphrase is to be stretched with another salt or memory than can be.")
    if not 1 <= how.passes <= _MOST_PASSES:
        raise UnusablePassphrase("The passphrase is to be stretched more often than can be.")
    # NFC, since keyboards differ in how they write the same letter.
    secret = normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    material = hash_secret_raw(secret, how.salt, how.passes, how.memory, how.lanes, KEY_BYTES, Type.ID)
    return RootKey(version, material)


def _bound_to(name: KeyName, root: RootKey) -> bytes:
    key_id, version = name.key_id.to_bytes(4, "big"), root.version.to_bytes(4, "big")
    return frame(_WRAP, name.purpose.encode(), name.scope.encode(), key_id, version, name.algorithm.encode())
