"""MongoDB's extended JSON, as its export tool writes it, to plain values.

Reads version 2, canonical and relaxed, and the shell's version 1. What has no JSON
type becomes the text or number that a field here can hold: an object id its 24
digits, a date the wire's date text, a decimal its digits as text so that none are
lost. Objects with an unknown `$` key are left as they are.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from undercroft.dates import parse_date, render_date
from undercroft.errors import BadRequest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UUID_TYPES = {"03", "04", "3", "4"}


class BadExtendedJson(BadRequest):
    """An object looks like extended JSON and is not."""

    code = "bad_extended_json"

    def __init__(self, key: str) -> None:
        super().__init__(f"The value of {key} is not valid extended JSON.")


def plain(value: Any) -> Any:
    """The value with all extended JSON in it replaced. Raises `BadExtendedJson`."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    key = next(iter(value), "")
    if key.startswith("$") and key in _READERS:
        return _read(key, value)
    return {name: plain(item) for name, item in value.items()}


def _read(key: str, value: Mapping[str, Any]) -> Any:
    try:
        return _READERS[key](value)
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError, binascii.Error):
        raise BadExtendedJson(key) from None


def _date(value: Mapping[str, Any]) -> str:
    moment = value["$date"]
    if isinstance(moment, str):
        return parse_date(moment) or _fail(moment)
    milliseconds = moment["$numberLong"] if isinstance(moment, dict) else moment
    return render_date(_EPOCH + timedelta(milliseconds=int(milliseconds)))


def _double(value: Mapping[str, Any]) -> float | str:
    text: str = value["$numberDouble"]
    number = float(text)
    return number if number - number == 0 else text


def _decimal(value: Mapping[str, Any]) -> str:
    text: str = value["$numberDecimal"]
    float(text)
    return text


def _binary(value: Mapping[str, Any]) -> str:
    inner = value["$binary"]
    text, kind = (inner["base64"], inner["subType"]) if isinstance(inner, dict) else (inner, value.get("$type", ""))
    raw = base64.b64decode(text, validate=True)
    return str(UUID(bytes=raw)) if kind in _UUID_TYPES else str(text)


def _regex(value: Mapping[str, Any]) -> str:
    inner = value.get("$regularExpression") or {"pattern": value["$regex"], "options": value.get("$options", "")}
    return f"/{_text(inner['pattern'])}/{_text(inner['options'])}"


def _timestamp(value: Mapping[str, Any]) -> str:
    return render_date(_EPOCH + timedelta(seconds=int(value["$timestamp"]["t"])))


def _object_id(value: Mapping[str, Any]) -> str:
    text: str = value["$oid"]
    int(text, 16)
    return text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _fail(repr(value))


def _fail(text: str) -> str:
    raise ValueError(text)


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "$oid": _object_id,
    "$date": _date,
    "$numberInt": lambda value: int(value["$numberInt"]),
    "$numberLong": lambda value: int(value["$numberLong"]),
    "$numberDouble": _double,
    "$numberDecimal": _decimal,
    "$binary": _binary,
    "$uuid": lambda value: str(UUID(value["$uuid"])),
    "$regularExpression": _regex,
    "$regex": _regex,
    "$timestamp": _timestamp,
    "$symbol": lambda value: _text(value["$symbol"]),
    "$code": lambda value: _text(value["$code"]),
    "$undefined": lambda _: None,
    "$ref": lambda value: plain(value["$id"]),
}
