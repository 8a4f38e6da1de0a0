"""From submitted JSON to the plain Python values that fields store. Nothing here raises."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

import msgspec

_NUMBER = re.compile(r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_NOT_A_NUMBER = re.compile(r"[+-]?(?:inf|infinity|nan)", re.IGNORECASE)
_JSON_START = frozenset('0123456789-"[{')
_JSON_WORDS = {"null": None, "true": True, "false": False}
_DEEPEST = 200  # levels; so many may a body have as well
EXACT = 2**53  # integers up to here are the same as 64-bit floats


def as_text(value: Any) -> str:
    """Text as it is, numbers and booleans as their text, everything else `""`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number_text(as_number(value))
    return ""


def as_number(value: Any) -> int | float:
    """A number as a 64-bit float would hold it, an int where that is exact; 0 for what is none.

    Text that spells infinity or NaN becomes that float, so that it can be refused.
    """
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return _plain(value)
    if isinstance(value, str):
        return _parse_number(value)
    return 0


def as_texts(value: Any) -> list[str]:
    """A list of texts without doubles and empty ones. Text that holds a JSON array is parsed."""
    if isinstance(value, str) and value.startswith("["):
        value = parse_json(value)
    items = value if isinstance(value, list | tuple) else [value]
    return list(dict.fromkeys(filter(None, map(as_text, items))))


def as_json(value: Any) -> Any:
    """Any JSON value. Objects get sorted keys; text that looks like JSON is parsed."""
    if isinstance(value, str):
        return parse_json(value)
    if isinstance(value, dict | list):
        return msgspec.to_builtins(value, order="sorted")
    return value


def parse_json(text: str) -> Any:
    """The JSON value in a text, or the text itself when it holds none, or one too deep to be worked with."""
    if text in _JSON_WORDS:
        return _JSON_WORDS[text]
    if text[:1] not in _JSON_START:
        return text
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return text
    may_be_deep = text.count("[") + text.count("{") > _DEEPEST
    return text if may_be_deep and _is_deeper(value, _DEEPEST) else value


def _is_deeper(value: Any, depth: int) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(depth == 0 or _is_deeper(item, depth - 1) for item in inside)


def _parse_number(text: str) -> int | float:
    if _NUMBER.fullmatch(text):
        number = float(text.replace("_", ""))
        return _plain(number) if math.isfinite(number) else 0
    return float(text) if _NOT_A_NUMBER.fullmatch(text) else 0


def _plain(number: float) -> int | float:
    try:
        wide = float(number)
    except OverflowError:
        return 0
    return int(wide) if wide.is_integer() and abs(wide) <= EXACT else wide


def _number_text(number: float) -> str:
    return format(Decimal(repr(number)), "f") if isinstance(number, float) else str(number)
