"""JSON as bodies carry it: one object, read with the wire's rules.

Stricter than most readers: a key that is there twice, a lone surrogate, a number
beyond the range of a double and bad UTF-8 are refused. Laxer in one point: text
after the first complete value is ignored. Depth is bounded, so that neither
reading nor anything later done with the value recurses without end.
"""

from __future__ import annotations

import re
from itertools import islice
from json import JSONDecoder
from typing import Any, Final

import msgspec

from undercroft.errors import BadRequest

MAX_DEPTH: Final = 200
MAX_VALUES: Final = 1_000_000  # a list of nothing but empty lists takes 30 times its text in memory
_LARGEST: Final = 2**1024 - 2**970  # the largest finite double
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_VALUE_OR_STRING: Final = re.compile(rb'[,\[{]|"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_decode = msgspec.json.Decoder().decode
_scan = JSONDecoder().raw_decode
_QUOTE: Final = ord('"')


class BadBody(BadRequest):
    """The body is not what its content type says, or not an object."""

    code = "bad_body"


def parse_object(raw: bytes) -> dict[str, Any]:
    """The JSON object that a body starts with; `null` is an empty one. Raises `BadBody`."""
    if len(raw) > MAX_VALUES and _has_too_many_values(raw):
        raise BadBody(f"The body has more than {MAX_VALUES:,} values.")
    try:
        text, value = _read_first(raw)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise BadBody
        keys = _count_keys(value, MAX_DEPTH)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise BadBody from None
    if _has_more_keys(text, keys):
        raise BadBody
    return value


def _has_too_many_values(raw: bytes) -> bool:
    """Whether there are more values than allowed; what looks like some inside strings is told apart only if need be."""
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") <= MAX_VALUES:
        return False
    marks = (found for found in _VALUE_OR_STRING.finditer(raw) if raw[found.start()] != _QUOTE)
    return next(islice(marks, MAX_VALUES, None), None) is not None


def _read_first(raw: bytes) -> tuple[bytes, Any]:
    try:
        return raw, _decode(raw)
    except msgspec.DecodeError as error:
        if "trailing characters" not in str(error):
            raise
    text = raw.decode(errors="surrogateescape")
    start = len(text) - len(text.lstrip(" \t\r\n"))
    _, end = _scan(text, start)
    first = text[start:end].encode(errors="surrogateescape")
    return first, _decode(first)


def _count_keys(value: Any, depth: int) -> int:
    """How many keys all objects inside a value have; refuses too deep and too large ones."""
    if depth == 0:
        raise BadBody
    if isinstance(value, dict):
        count = len(value)
        inside = value.values()
    else:
        count, inside = 0, value
    for item in inside:
        kind = type(item)
        if kind is dict or kind is list:
            count += _count_keys(item, depth - 1)
        elif kind is int and not -_LARGEST <= item <= _LARGEST:
            raise BadBody
    return count


def _has_more_keys(text: bytes, known: int) -> bool:
    """Whether the text names more keys than reading it kept: some key is there twice.

    Each key is followed by one colon; colons inside strings are looked for only
    when the plain count does not settle it.
    """
    return text.count(b":") != known and _STRING.sub(b"", text).count(b":") != known
