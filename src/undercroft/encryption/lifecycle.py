"""How the keys of a set come and go: each step gives the set as it is after it."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import replace
from typing import Final, Literal

from undercroft.dates import now
from undercroft.encryption.failures import KeyNotMoved
from undercroft.encryption.keyset import KEY_BYTES, LARGEST_ID, Algorithm, Key, KeySet, Purpose, State

WARN_AT: Final = 2**30
ROTATE_AT: Final = 2**31  # NIST SP 800-38D, 8.3: 2^32 messages a key with random nonces; half of it is left over

Verdict = Literal["fine", "warn", "rotate"]


def verdict(uses: int) -> Verdict:
    """What is to be done about a key that has sealed so many messages."""
    if uses >= ROTATE_AT:
        return "rotate"
    return "warn" if uses >= WARN_AT else "fine"


def new_set(purpose: Purpose, scope: str, algorithm: Algorithm) -> KeySet:
    """A set of one new key, which seals at once: nobody has an older set without it."""
    key = replace(new_key(algorithm), state="enabled")
    return KeySet(purpose, scope, (key,), key.id)


def new_key(algorithm: Algorithm, taken: Collection[int] = ()) -> Key:
    """A random key, pending, with a random id that is not taken."""
    key_id = secrets.randbelow(LARGEST_ID) + 1
    if key_id in taken:
        return new_key(algorithm, taken)
    return Key(key_id, "pending", algorithm, now(), secrets.token_bytes(KEY_BYTES))


def add(keys: KeySet, algorithm: Algorithm) -> tuple[KeySet, Key]:
    """The set with a new pending key, and that key."""
    key = new_key(algorithm, [other.id for other in keys.keys])
    return replace(keys, keys=(*keys.keys, key)), key


def promote(keys: KeySet, key_id: int) -> KeySet:
    """The set with another primary key; the one before stays enabled. Raises `KeyNotMoved`."""
    moved = _moved(keys, key_id, "enabled", after=("pending", "enabled"))
    return replace(moved, primary_id=key_id)


def disable(keys: KeySet, key_id: int) -> KeySet:
    """The set in which what the key sealed stays shut. Raises `KeyNotMoved`."""
    return _moved(keys, key_id, "disabled", after=("enabled",))


def enable(keys: KeySet, key_id: int) -> KeySet:
    """The set in which what the key sealed opens again. Raises `KeyNotMoved`."""
    return _moved(keys, key_id, "enabled", after=("disabled",))


def destroy(keys: KeySet, key_id: int) -> KeySet:
    """The set without the material of the key, which was disabled, or never sealed. Raises `KeyNotMoved`."""
    return _moved(keys, key_id, "destroyed", after=("disabled", "pending"))


def _moved(keys: KeySet, key_id: int, state: State, after: tuple[State, ...]) -> KeySet:
    key = keys.find(key_id)
    if key is None:
        raise KeyNotMoved(key_id, "is not in the set")
    if key_id == keys.primary_id and state != "enabled":
        raise KeyNotMoved(key_id, "is the primary one; promote another first")
    if key.state not in after:
        raise KeyNotMoved(key_id, f"is {key.state}, and cannot be {state} after that")
    moved = replace(key, state=state, material=b"" if state == "destroyed" else key.material)
    return replace(keys, keys=tuple(moved if one is key else one for one in keys.keys))
