"""A value as the bytes that are sealed: UTF-8 text, always, and padded where its length is to be hidden.

Text is its own bytes, and so is JSON that is stored as text. Numbers have one spelling each, the shortest
that reads back as the same number, so that equal ones are equal bytes. UTF-8 never has the byte 0xFF, so
one at the end, with nothing but zeros behind it, says that the value is padded: values from before and after
a change of the padding are told apart without being told about it.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

_END: Final = b"\xff"
_EXACT: Final = 2**63  # whole numbers below are written out; columns hold no larger integers


def encode_text(value: str) -> bytes:
    """The bytes of a text. Raises `UnicodeEncodeError` for half characters, which no record holds."""
    return value.encode()


def decode_text(plain: bytes) -> str:
    """The text that was encoded."""
    return plain.decode()


def encode_number(value: float) -> bytes:
    """The bytes of a number: 1 and 1.0 have the same. Raises `ValueError` for what JSON has no number for."""
    if isinstance(value, int):
        return b"%d" % value
    if not math.isfinite(value):
        raise ValueError(value)
    if value.is_integer() and abs(value) < _EXACT:
        return b"%d" % int(value)
    return repr(value).encode()


def decode_number(plain: bytes) -> int | float:
    """The number that was encoded; a whole one is an `int`."""
    return int(plain) if plain.lstrip(b"-").isdigit() else float(plain)


def encode_json(value: Any) -> bytes:
    """The bytes of a JSON value, without spaces, its keys in their order."""
    return msgspec.json.encode(value)


def decode_json(plain: bytes) -> Any:
    """The JSON value that was encoded."""
    return msgspec.json.decode(plain)


def pad(plain: bytes, multiple: int) -> bytes:
    """The bytes made longer, to a multiple of that many; 0 leaves them alone."""
    if not multiple:
        return plain
    return plain + _END + bytes(-(len(plain) + 1) % multiple)


def unpad(plain: bytes) -> bytes:
    """The bytes without their padding, if they have any."""
    if plain[-1:] not in (b"\xff", b"\0"):
        return plain
    bare = plain.rstrip(b"\0")
    return bare[:-1] if bare.endswith(_END) else plain
