"""A set of keys, one of them primary: what is sealed from now on is sealed with that one.

The model is that of Google Tink's keysets. A key is born `pending`, and spreads to
every process before anything is sealed with it; `enabled`, as primary or after it
was; `disabled` for a while, in which what it sealed stays shut and it can come back;
and `destroyed`, when its material is gone and its id remains, to be named in errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from undercroft.encryption.failures import BadKeySet, KeyDestroyed, KeyDisabled, UnknownKey

State = Literal["pending", "enabled", "disabled", "destroyed"]
Algorithm = Literal["AES256_GCM", "AES256_GCM_SIV", "HMAC_SHA256_128", "AES256_GCM_HKDF_STREAM"]
Purpose = Literal["value", "index", "file", "backup", "subject", "system"]

KEY_BYTES: Final = 32
LARGEST_ID: Final = 2**32 - 1
ALGORITHM_OF: Final[Mapping[Purpose, Algorithm]] = {
    "value": "AES256_GCM",
    "index": "HMAC_SHA256_128",
    "file": "AES256_GCM_HKDF_STREAM",
    "backup": "AES256_GCM_HKDF_STREAM",
    "subject": "AES256_GCM",
    "system": "AES256_GCM",
}
"""What a key of a purpose is for, unless something else is wanted."""
STATES: Final[tuple[State, ...]] = get_args(State)
_OPENS: Final = ("pending", "enabled")


@dataclass(frozen=True, slots=True)
class Key:
    """One key, with the id that what it seals begins with. `material` is 32 bytes, none once it is destroyed.

    The algorithm is the key's, so that a rotation may change it. `created` is date text.
    """

    id: int
    state: State
    algorithm: Algorithm
    created: str = ""
    material: bytes = field(default=b"", repr=False)

    @property
    def opens(self) -> bool:
        """Whether what it sealed may be opened. A pending key does: another process may already seal with it."""
        return self.state in _OPENS


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one purpose within one scope, a field for example. Raises `BadKeySet` when it is none."""

    purpose: Purpose
    scope: str
    keys: Sequence[Key]
    primary_id: int

    def __post_init__(self) -> None:
        for key in self.keys:
            self._check(key)
        if len({key.id for key in self.keys}) != len(self.keys):
            raise BadKeySet(self.scope, "has two keys of one id")
        if not any(key.id == self.primary_id and key.state == "enabled" for key in self.keys):
            raise BadKeySet(self.scope, "has no primary key that is enabled")

    @property
    def primary(self) -> Key:
        """The key that new values are sealed with."""
        return next(key for key in self.keys if key.id == self.primary_id)

    def find(self, key_id: int) -> Key | None:
        """The key of that id, in whichever state."""
        return next((key for key in self.keys if key.id == key_id), None)

    def opening(self, key_id: int) -> Key:
        """The key that opens what names this id. Raises `UnknownKey`, `KeyDisabled` or `KeyDestroyed`."""
        key = self.find(key_id)
        if key is None:
            raise UnknownKey(key_id)
        if key.state == "disabled":
            raise KeyDisabled(key_id)
        if key.state == "destroyed":
            raise KeyDestroyed(key_id)
        return key

    def _check(self, key: Key) -> None:
        if not 0 < key.id <= LARGEST_ID:
            raise BadKeySet(self.scope, f"has a key with the id {key.id}")
        if key.state not in STATES or key.algorithm not in get_args(Algorithm):
            raise BadKeySet(self.scope, f"has the key {key.id} in a state or for an algorithm that is unknown")
        if len(key.material) != (0 if key.state == "destroyed" else KEY_BYTES):
            raise BadKeySet(self.scope, f"has {len(key.material)} bytes of material for the key {key.id}")
