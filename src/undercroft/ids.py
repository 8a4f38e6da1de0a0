"""Names that machines give: record ids, collection ids, field ids, random text."""

from __future__ import annotations

import secrets
import zlib

RECORD_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
TEXT_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def random_text(length: int, alphabet: str = TEXT_ALPHABET) -> str:
    """Unguessable text of `length` characters from the operating system's random source."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def record_id() -> str:
    """A new record id: 15 characters of a-z and 0-9 (77 bits)."""
    number = secrets.randbits(96)
    digits = []
    for _ in range(15):
        number, digit = divmod(number, 36)
        digits.append(RECORD_ID_ALPHABET[digit])
    return "".join(digits)


def checksum(text: str) -> int:
    """CRC-32 (IEEE), which generated collection and field ids are made of."""
    return zlib.crc32(text.encode())


def collection_id(kind: str, name: str) -> str:
    """The id a collection gets when its maker gave none."""
    return f"pbc_{checksum(kind + name)}"


def field_id(kind: str, name: str) -> str:
    """The id a field gets when its maker gave none."""
    return f"{kind}{checksum(name)}"
