"""Parcels: what leaves the house encrypted, an export for example, and how its key is had where it is opened.

A parcel is a committed stream, see `encryption.committed`. Its note says what the content is, and whose it is:

    ring         the key is a backup key of the app. A copy of it stands in the note, wrapped by the root key, so that
                 whoever has that opens the parcel when the database is lost
    age          the key was made for the parcel, and is encrypted to age recipients
    passphrase   the key is stretched from a passphrase
"""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from undercroft.encryption.committed import Committed, CommittedSealer, open_committed
from undercroft.encryption.failures import DecryptionFailed, UnusablePassphrase, WrongRootKey
from undercroft.encryption.keyset import ALGORITHM_OF, Key
from undercroft.encryption.lifecycle import new_key
from undercroft.encryption.streams import StreamOpener
from undercroft.encryption.wrapping import KeyName, WrappedKey, new_stretching, stretch, unwrap, wrap
from undercroft.errors import Problem
from undercroft.keys.age import library, read_identity
from undercroft.keys.ring import Keyring
from undercroft.keys.root_passphrase import KeptStretching

_ALGORITHM: Final = ALGORITHM_OF["backup"]
_ONE: Final = 1  # the version of a key that is stretched for one parcel


class ParcelShut(Problem):
    """What was given does not open what is encrypted, or nothing was given."""

    code = "parcel_shut"


class ParcelDamaged(Problem):
    """What is encrypted was cut or altered."""

    code = "parcel_damaged"
    default = "The file was cut or altered since it was written."


class RingLock(msgspec.Struct, frozen=True, tag="ring"):
    """The key is one of the app's backup keys, and here once more, wrapped by the root key."""

    wrapped: str
    root_version: int
    root_check: str


class AgeLock(msgspec.Struct, frozen=True, tag="age"):
    """The key is encrypted to these recipients."""

    recipients: Sequence[str]
    sealed: str


class PassphraseLock(msgspec.Struct, frozen=True, tag="passphrase"):
    """The key is stretched from a passphrase."""

    how: KeptStretching


Lock = RingLock | AgeLock | PassphraseLock


class Note(msgspec.Struct, frozen=True):
    """What a parcel says of itself: the kind of its content, and how its key is had."""

    content: str
    lock: Lock


@dataclass(frozen=True, slots=True)
class Tools:
    """What a parcel may be opened with: the keys of the app, an age identity, a passphrase."""

    keyring: Keyring
    identity: Path | None = None
    passphrase: Callable[[], str] | None = None


def lock_for_ring(keyring: Keyring) -> tuple[Key, Lock]:
    """The key of a parcel for the app itself. Raises `UnknownKeySet` and `KeysUnavailable`."""
    key = keyring.key_set("backup", "").primary
    wrapped = wrap(key.material, _name_of(key.id), keyring.root_key)
    return key, RingLock(b64encode(wrapped.sealed).decode(), wrapped.root_version, wrapped.check)


def lock_for_recipients(recipients: Sequence[str]) -> tuple[Key, Lock]:
    """The key of a parcel for who has the identity of one of these recipients. Raises `ParcelShut` and `MissingAge`."""
    pyrage, key = library(), new_key(_ALGORITHM)
    try:
        found = [pyrage.x25519.Recipient.from_str(recipient) for recipient in recipients]
    except pyrage.RecipientError:
        raise ParcelShut(f"These are no age recipients: {', '.join(recipients)}.") from None
    sealed: bytes = pyrage.encrypt(key.material, found)
    return key, AgeLock(recipients, b64encode(sealed).decode())


async def lock_with_passphrase(passphrase: str) -> tuple[Key, Lock]:
    """The key of a parcel for who knows a passphrase. Raises `UnusablePassphrase`."""
    how = new_stretching()
    stretched = await asyncio.to_thread(stretch, passphrase, how, _ONE)
    return _key(new_key(_ALGORITHM).id, stretched.material), PassphraseLock(KeptStretching.of(how))


def seal_parcel(key: Key, lock: Lock, content: str) -> CommittedSealer:
    """What seals the content of a parcel. Raises `BadKeySet` for a key that seals no streams."""
    return CommittedSealer(key, msgspec.json.encode(Note(content, lock)))


def read_note(header: Committed) -> Note:
    """What a parcel says of itself, which is not to be trusted before it was opened. Raises `ParcelDamaged`."""
    try:
        return msgspec.json.decode(header.note, type=Note)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ParcelDamaged from None


async def open_parcel(header: Committed, tools: Tools) -> Callable[[], StreamOpener]:
    """Makes what opens the content, as often as it is to be read. Raises `ParcelShut` and `ParcelDamaged`.

    Where it was locked for the app it raises `KeyDisabled`, `KeyDestroyed` and `KeysUnavailable` too.
    """
    key = await _find_key(header, read_note(header).lock, tools)
    try:
        open_committed(key, header)
    except DecryptionFailed:
        raise ParcelShut("It was made with another key than what was given opens, or was altered.") from None
    return lambda: open_committed(key, header)


async def _find_key(header: Committed, lock: Lock, tools: Tools) -> Key:
    try:
        if isinstance(lock, RingLock):
            return _from_ring(header.key_id, lock, tools.keyring)
        if isinstance(lock, AgeLock):
            return _from_identity(header.key_id, lock, tools.identity)
        return await _from_passphrase(header.key_id, lock, tools.passphrase)
    except ValueError:
        raise ParcelDamaged from None


def _from_ring(key_id: int, lock: RingLock, keyring: Keyring) -> Key:
    """A backup key that is here, or was here under this root key."""
    if keyring.has("backup", ""):
        keys = keyring.key_set("backup", "")
        if keys.find(key_id) is not None:
            return keys.opening(key_id)
    wrapped = WrappedKey(lock.root_version, lock.root_check, b64decode(lock.wrapped))
    try:
        return _key(key_id, unwrap(wrapped, _name_of(key_id), keyring.root_key))
    except WrongRootKey as wrong:
        raise ParcelShut(
            f"It is encrypted under the backup key {key_id}, which is not here, and under a root key with the check "
            f"value {wrong.expected}: the one here is {wrong.found}."
        ) from None
    except DecryptionFailed:
        raise ParcelDamaged from None


def _from_identity(key_id: int, lock: AgeLock, path: Path | None) -> Key:
    wanted = ", ".join(lock.recipients)
    if path is None:
        raise ParcelShut(f"It is encrypted to {wanted}: name the file with an age identity.")
    found = read_identity(path)
    if found is None:
        raise ParcelShut(f"There is no age identity that can be read in {path}.")
    identity, recipient = found
    pyrage = library()
    try:
        material: bytes = pyrage.decrypt(b64decode(lock.sealed), [identity])
    except pyrage.DecryptError:
        raise ParcelShut(f"It is encrypted to {wanted}, and the identity in {path} is {recipient}.") from None
    return _key(key_id, material)


async def _from_passphrase(key_id: int, lock: PassphraseLock, passphrase: Callable[[], str] | None) -> Key:
    if passphrase is None:
        raise ParcelShut("It is encrypted with a passphrase: name a file with it, or have it asked for.")
    how, given = lock.how.stretching(), passphrase()
    try:
        stretched = await asyncio.to_thread(stretch, given, how, _ONE)
    except UnusablePassphrase:
        if not given:
            raise
        raise ParcelDamaged from None
    return _key(key_id, stretched.material)


def _key(key_id: int, material: bytes) -> Key:
    return Key(key_id, "enabled", _ALGORITHM, material=material)


def _name_of(key_id: int) -> KeyName:
    return KeyName("backup", "", key_id, _ALGORITHM)
