"""Root keys as text: in a file or a variable, 32 bytes each in base64.

There may be several, while one takes the place of another: the check value in the
database tells which is in use.
"""

from __future__ import annotations

import binascii
import re
import secrets
from base64 import b64encode, urlsafe_b64decode

from undercroft.encryption.keyset import KEY_BYTES
from undercroft.keys.root import BadRoot

_GAPS = re.compile(r"[\s,]+")


def new_root_text() -> str:
    """A random root key."""
    return render_root(secrets.token_bytes(KEY_BYTES))


def render_root(material: bytes) -> str:
    """A root key as text."""
    return b64encode(material).decode()


def parse_roots(text: str, source: str) -> list[bytes]:
    """The root keys of a text, in which lines with `#` are remarks. Raises `BadRoot`."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    words = [word for line in lines for word in _GAPS.split(line) if word]
    if not words:
        raise BadRoot(f"There is no root key {source}: it has to hold 32 random bytes in base64.")
    return [_parse(word, source) for word in words]


def _parse(word: str, source: str) -> bytes:
    spelled = word.translate(str.maketrans("+/", "-_")).rstrip("=")
    try:
        material = urlsafe_b64decode(f"{spelled}{'=' * (-len(spelled) % 4)}")
    except (binascii.Error, ValueError):
        material = b""
    if len(material) != KEY_BYTES:
        raise BadRoot(f"The root key {source} cannot be read: it has to be 32 random bytes in base64, 44 characters.")
    return material
