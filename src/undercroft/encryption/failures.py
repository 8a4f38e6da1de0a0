"""Why something sealed stays shut, or cannot be sealed: one class a reason."""

from __future__ import annotations

from typing import Final

from undercroft.encryption.place import FieldPlace
from undercroft.errors import Conflict, Problem, Unavailable, Unreadable

_RETRY_AFTER: Final = 5  # seconds


class DecryptionFailed(Unreadable):
    """What is sealed was altered, cut, or moved away from where it belongs; nothing of it is given out.

    `place` and `record_id` say which value it is, where it is one of a field, and `file` which file; they are for the
    log and the audit.
    """

    code = "decryption_failed"
    default = "What is stored encrypted cannot be decrypted: it is not as it was written, or not where."

    def __init__(self, detail: str = "", place: FieldPlace | None = None, record_id: str = "") -> None:
        super().__init__(detail=detail if place is None else f"{detail} {_where(place, record_id)}")
        self.place = place
        self.record_id = record_id
        self.file = ""


class UnknownKey(DecryptionFailed):
    """A value names a key that the key set does not have; a key ring that is read again may have it."""

    def __init__(self, key_id: int) -> None:
        super().__init__(f"It names the key {key_id}, which is not known.")
        self.key_id = key_id


class KeyDisabled(Unreadable):
    """A value was sealed with a key that was disabled; it opens again once the key is enabled."""

    code = "key_disabled"

    def __init__(self, key_id: int) -> None:
        super().__init__(f"What is stored was encrypted with the key {key_id}, which is disabled.")
        self.key_id = key_id


class KeyDestroyed(Unreadable):
    """A value was sealed with a key that was destroyed; nothing opens it any more."""

    code = "key_destroyed"

    def __init__(self, key_id: int) -> None:
        super().__init__(f"What is stored was encrypted with the key {key_id}, which was destroyed.")
        self.key_id = key_id


class KeysUnavailable(Unavailable):
    """The keys are elsewhere, and whoever keeps them does not give them out now."""

    code = "keys_unavailable"
    default = "The keys to what is stored encrypted cannot be had at the moment."

    def __init__(self, text: str = "", retry_after: int = _RETRY_AFTER) -> None:
        super().__init__(text, retry_after)


class WrongRootKey(Problem):
    """The root key is not the one that the stored keys were wrapped with; `expected` and `found` are check values."""

    code = "wrong_root_key"

    def __init__(self, key_id: int, expected: str, found: str) -> None:
        super().__init__(
            f"The root key is not the one that key {key_id} was wrapped with: "
            f"its check value is {found}, and {expected} is wanted."
        )
        self.key_id = key_id
        self.expected = expected
        self.found = found


class BadKeySet(Unreadable):
    """A set of keys is not one: no primary key, two of one id, a key of another length or for another use."""

    code = "bad_key_set"

    def __init__(self, scope: str, reason: str) -> None:
        super().__init__(f"The key set of {scope!r} {reason}.")


class KeyNotMoved(Conflict):
    """A key cannot go from the state it is in to the one that was asked for."""

    code = "key_not_moved"

    def __init__(self, key_id: int, reason: str) -> None:
        super().__init__(f"The key {key_id} {reason}.")
        self.key_id = key_id


class UnusablePassphrase(Problem):
    """The passphrase is empty, or its stretching is described in a way that nobody here would have written."""

    code = "unusable_passphrase"


def _where(place: FieldPlace, record_id: str) -> str:
    return f"It is the field {place.field_id} of the record {record_id!r} in the collection {place.collection_id}."
