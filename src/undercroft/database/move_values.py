"""Values on their way between engines: may the target hold them, and are they the same afterwards?

A value's *normal form* is what it means, whichever engine keeps it: a number is the
64-bit float it equals, JSON its content with sorted keys. Equal normal forms are
equal to every reader of the API.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from undercroft.database.engine import Value
from undercroft.database.limits import Limits
from undercroft.database.moved import MovedColumn, MovedKind
from undercroft.dates import parse_date

_CUT: Final = 60
_LARGEST: Final = 308  # the exponent of the largest 64-bit float
_SMALLEST: Final = -16_000  # that of the smallest number in PostgreSQL's jsonb
_WHOLE: Final = range(-(2**63), 2**63)


class Unfit(ValueError):
    """A value that a column of its kind cannot hold; the text says why."""


def normal(column: MovedColumn, value: Value) -> Any:
    """The normal form of a value as JSON has it. Raises `Unfit`."""
    if value is None:
        return None if column.is_nullable or column.kind == "json" else _EMPTY[column.kind]
    return _NORMAL[column.kind](value)


def bound(column: MovedColumn, value: Value) -> Value:
    """What is given to the target for a value of the source."""
    if value is None:
        return None if column.is_nullable or column.kind == "json" else _EMPTY_BOUND[column.kind]
    if column.kind == "json" and isinstance(value, int | float):
        return json_text(value)
    if column.kind == "geo" and isinstance(value, str):
        return _point(value)
    return value


def check_value(column: MovedColumn, value: Value, limits: Limits) -> None:
    """Return when a database with these limits holds the value. Raises `Unfit` with the reason."""
    if limits.is_typed:
        normal(column, value)
    elif isinstance(value, float) and math.isnan(value):
        raise Unfit("is no number (NaN)")


def digest(columns: Sequence[MovedColumn], row: Sequence[Value]) -> int:
    """A number of 256 bits, the same for rows of the same normal form; its sum over a table asks for no order."""
    forms = [_form(column, value) for column, value in zip(columns, row, strict=True)]
    return int.from_bytes(hashlib.sha256(_ENCODER.encode(forms)).digest(), "big")


def json_text(value: float | str) -> str:
    """The JSON text of a value that a JSON column gave."""
    return value if isinstance(value, str) else _ENCODER.encode(value).decode()


def shorten(value: Value) -> str:
    """A value for people: on one line, of at most 60 characters."""
    text = f"x'{value.hex()}'" if isinstance(value, bytes) else str(value)
    line = "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text[: _CUT + 1])
    return line if len(line) <= _CUT else line[: _CUT - 1] + "…"


def _point(text: str) -> str:
    """A point the way the API writes it, the longitude first, whichever way an engine keeps it."""
    try:
        point = _DECODER.decode(text)
    except (Unfit, RecursionError, msgspec.DecodeError):
        return text
    if not isinstance(point, dict) or point.keys() != {"lon", "lat"}:
        return text
    return _POINTS.encode({"lon": point["lon"], "lat": point["lat"]}).decode()


def _form(column: MovedColumn, value: Value) -> Any:
    try:
        return normal(column, value)
    except Unfit:
        # Where the target keeps what it is given, such a value moves as it is.
        return ["unfit", type(value).__name__, value.hex() if isinstance(value, bytes) else repr(value)]


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value
    raise Unfit("is bytes, not text" if isinstance(value, bytes) else "is a number, not text")


def _number(value: Value) -> float:
    if not isinstance(value, int | float):
        raise Unfit("is not a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise Unfit("is out of the range of a 64-bit float") from error
    if not math.isfinite(number):
        raise Unfit("is not a finite number")
    if number != value:
        raise Unfit("has more digits than a 64-bit float keeps")
    return number + 0.0  # a negative zero becomes zero


def _whole(value: Value) -> int:
    if isinstance(value, int) and value in _WHOLE:
        return value
    raise Unfit("is not a whole number")


def _bool(value: Value) -> bool:
    if value in (0, 1):
        return bool(value)
    raise Unfit("is neither true nor false")


def _date(value: Value) -> str:
    text = _text(value)
    if text and parse_date(text) != text:
        raise Unfit("is not a date of the form 2024-01-01 10:00:00.000Z")
    return text


def _list(value: Value) -> Any:
    decoded = _json(value)
    if not isinstance(decoded, list):
        raise Unfit("is not a JSON array")
    return decoded


def _geo(value: Value) -> Any:
    decoded = _json(value)
    if not isinstance(decoded, dict):
        raise Unfit("is not a JSON object")
    return decoded


def _bytes(value: Value) -> str:
    if isinstance(value, bytes):
        return value.hex()
    raise Unfit("is text, not bytes")


def _any_json(value: Value) -> Any:
    # A document that is null is not an empty column.
    return ["json", _json(value)]


def _json(value: Value) -> Any:
    if value is None or isinstance(value, bytes):
        raise Unfit("is bytes, not JSON")
    try:
        return _DECODER.decode(json_text(value))
    except RecursionError as error:
        raise Unfit("is JSON that is nested too deeply") from error
    except msgspec.ValidationError as error:
        raise Unfit("holds a number that is out of range") from error
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise Unfit("is not valid JSON") from error


def _json_number(text: str) -> int | Decimal:
    """A number as its exact value has it, however it was written."""
    number = Decimal(text)
    if not number:
        return 0
    if not _SMALLEST < number.adjusted() <= _LARGEST:
        raise Unfit("holds a number that is out of range")
    plain = number.normalize()
    return int(plain) if plain == plain.to_integral_value() else plain


_DECODER = msgspec.json.Decoder(float_hook=_json_number)
_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="number")
_POINTS = msgspec.json.Encoder(decimal_format="number")
_NORMAL: Final[Mapping[MovedKind, Callable[[Value], Any]]] = {
    "id": _text,
    "text": _text,
    "number": _number,
    "whole": _whole,
    "bool": _bool,
    "date": _date,
    "list": _list,
    "json": _any_json,
    "geo": _geo,
    "bytes": _bytes,
}
_POINT: Final = '{"lon":0,"lat":0}'
_EMPTY: Final[Mapping[MovedKind, Any]] = {
    "number": 0.0,
    "bool": False,
    "whole": 0,
    "list": [],
    "geo": {"lon": 0, "lat": 0},
    "id": "",
    "text": "",
    "date": "",
}
_EMPTY_BOUND: Final[Mapping[MovedKind, Value]] = {**_EMPTY, "list": "[]", "geo": _POINT}
