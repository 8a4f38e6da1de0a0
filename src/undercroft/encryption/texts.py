"""Secrets in text columns of the house's own tables, sealed: printable, and told from others by a mark.

Each is bound to the app and to its context, `table|column|row`, as field values are to
their field and record; a copy in another row does not open.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from undercroft.encryption.failures import DecryptionFailed
from undercroft.encryption.keyset import KeySet
from undercroft.encryption.place import FieldPlace
from undercroft.encryption.values import FieldCipher, key_prefix

MARK: Final = "uc1:"
BEGINNING: Final = len(MARK) + 7
"""How many characters of a sealed text tell its key."""


def is_sealed_text(text: str) -> bool:
    """Whether a text begins like a sealed one."""
    return text.startswith(MARK)


def text_beginnings(key_id: int) -> tuple[str, ...]:
    """What a text that this key sealed begins with, as one of these; a query can count by them.

    The bytes that tell the key end within a character.
    """
    prefix = key_prefix(key_id)
    return tuple(
        MARK + urlsafe_b64encode(prefix + bytes([rest << 6]))[: BEGINNING - len(MARK)].decode() for rest in range(4)
    )


class TextCipher:
    """Seals and opens texts with the keys of the system. Make it once for each state of them. Raises `BadKeySet`."""

    def __init__(self, keys: KeySet, app_id: str) -> None:
        self.keys = keys
        # No collection and no field has an empty id, so this is no place of a record's.
        self._cipher = FieldCipher(keys, FieldPlace(app_id, "", ""))

    def seal(self, context: str, text: str) -> str:
        """The text as it is stored."""
        return MARK + urlsafe_b64encode(self._cipher.seal(text.encode(), context)).decode()

    def open(self, context: str, sealed: str) -> str:
        """The text that was sealed. Raises `DecryptionFailed`, `UnknownKey`, `KeyDisabled` and `KeyDestroyed`."""
        if not is_sealed_text(sealed):
            raise DecryptionFailed(f"What stands in {context} is not sealed.")
        spelled = sealed.removeprefix(MARK).encode("ascii", "replace")
        raw = _decode(spelled)
        if raw is None:
            raise DecryptionFailed(f"What stands in {context} is cut.")
        try:
            return self._cipher.open(raw, context).decode()
        except DecryptionFailed as failure:
            raise DecryptionFailed(f"What stands in {context} does not open.") from failure


def _decode(spelled: bytes) -> bytes | None:
    """The bytes of a text that nobody else would spell otherwise; None for any other text."""
    try:
        raw = urlsafe_b64decode(spelled)
    except binascii.Error:
        return None
    return raw if urlsafe_b64encode(raw) == spelled else None
