"""Plain values on the wire to PostgreSQL: the same Python values that SQLite gives and takes.

Dates are the wire's text and empty when the column holds `-infinity`; JSON is its text,
compact and with sorted keys, a JSON number that number; whole floats are `int`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import asyncpg
import msgspec
from msgspec import Raw

from undercroft.database.postgresql_text import decode_escapes, decode_text, encode_escapes, encode_text

_EMPTY_DATE: Final = "-infinity"
_DIGITS: Final = frozenset("0123456789")
_NUMBER_STARTS: Final = frozenset("-0123456789")
_TEXTS: Final = ("text", "varchar", "bpchar")
_AS_TEXT: Final = ("date", "time", "timestamp", "interval", "uuid", "inet")
_EXPONENT: Final = re.compile(r"\d[eE][+-]?\d")
_EXACT: Final = 2**53


async def set_codecs(connection: asyncpg.Connection) -> None:
    """Make a connection speak plain values."""
    codecs: dict[str, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
        "bool": (_encode_bool, _decode_bool),
        "float8": (_encode_number, decode_number),
        "float4": (_encode_number, decode_number),
        "numeric": (_encode_number, decode_number),
        "timestamptz": (encode_date, decode_date),
        "jsonb": (encode_json, decode_json),
        "json": (str, decode_json),
        **dict.fromkeys(_TEXTS, (encode_text, decode_text)),
        **dict.fromkeys(_AS_TEXT, (str, str)),
    }
    for name, (encoder, decoder) in codecs.items():
        await connection.set_type_codec(name, schema="pg_catalog", encoder=encoder, decoder=decoder, format="text")


def encode_date(value: str) -> str:
    """Date text as PostgreSQL reads it."""
    return value or _EMPTY_DATE


def decode_date(text: str) -> str:
    """Date text as the wire has it, of what PostgreSQL writes in UTC: `2024-01-01 10:00:00.5+00`."""
    if len(text) < 22:
        return ""
    return f"{text[:19]}.{text[20:-3][:3]:0<3}Z"


def decode_number(text: str) -> int | float:
    """A whole number as an int where that is exact, others as floats."""
    if set(text.removeprefix("-")) <= _DIGITS:
        whole = int(text)
        return whole if abs(whole) <= _EXACT else float(text)
    number = float(text)
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number


def encode_json(text: str) -> str:
    """JSON text whose floats are still floats afterwards: without exponents, because `jsonb` spells those out."""
    held = encode_escapes(text)
    return _spelled_out(msgspec.json.decode(held)) if _EXPONENT.search(held) else held


def decode_json(text: str) -> str | int | float:
    """JSON as compact text with sorted keys, a lone number as that number."""
    if text[0] in _NUMBER_STARTS:
        return decode_number(text)
    if text[0] not in '{["':
        return text
    return msgspec.json.encode(msgspec.json.decode(decode_escapes(text)), order="sorted").decode()


def _spelled_out(value: Any) -> str:
    return msgspec.json.encode(_without_exponents(value)).decode()


def _without_exponents(value: Any) -> Any:
    if isinstance(value, float):
        text = format(Decimal(repr(value)), "f")
        return Raw(text if "." in text else f"{text}.0")
    if isinstance(value, dict):
        return {key: _without_exponents(inner) for key, inner in value.items()}
    return [_without_exponents(inner) for inner in value] if isinstance(value, list) else value


def _encode_number(value: float) -> str:
    return repr(float(value))


def _encode_bool(value: Any) -> str:
    return "t" if value else "f"


def _decode_bool(text: str) -> int:
    return 1 if text == "t" else 0
