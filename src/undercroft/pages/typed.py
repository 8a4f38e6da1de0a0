"""What was typed into a form's controls, as the body of a write.

HTML sends texts only: an unticked box sends nothing, lines end with two characters, a
moment has no seconds. What cannot be read at all is an error here, where a record's
own casting would make it the empty value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.boolean import BoolField
from undercroft.collections.fields.choices import ChoiceField
from undercroft.collections.fields.date import DateField
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.geo_point import GeoPointField
from undercroft.collections.fields.json import JsonField
from undercroft.collections.fields.number import NumberField
from undercroft.collections.fields.password import PasswordField
from undercroft.dates import parse_date
from undercroft.errors import FieldError, Invalid

Texts = Mapping[str, Sequence[str]]

_NOT_A_NUMBER = FieldError("validation_not_a_number", "Must be a number.")
_NOT_A_DATE = FieldError("validation_not_a_date", "Must be a valid date.")
_NOT_JSON = FieldError("validation_invalid_json", "Must be valid JSON.")


def read_typed(collection: Collection, names: Sequence[str], texts: Texts) -> dict[str, Any]:
    """The body of a write, of the named fields alone. Raises `Invalid` for what cannot be read."""
    body: dict[str, Any] = {}
    errors: dict[str, FieldError] = {}
    for name in names:
        given = collection.by_name[name]
        value = _read(given, texts.get(name, ()))
        if isinstance(value, FieldError):
            errors[name] = value
        elif isinstance(given, FileField):
            body |= _removals(name, texts)
        elif isinstance(given, PasswordField):
            body |= _password(collection, given, texts)
        else:
            body[name] = value
    if errors:
        raise Invalid(errors)
    return body


def typed_values(names: Sequence[str], texts: Texts) -> dict[str, list[str]]:
    """What stood in the controls, to be shown again."""
    return {name: list(texts.get(name, ())) for name in names}


def _read(given: Field, typed: Sequence[str]) -> Any:
    """What a control holds, or why it cannot be read."""
    if isinstance(given, ChoiceField):
        kept = [text for text in typed if text]
        return kept if given.is_multiple else "".join(kept[-1:])
    if isinstance(given, BoolField):
        return "true" in typed
    text = "".join(typed[-1:]).replace("\r\n", "\n")
    if isinstance(given, NumberField):
        return _number(text.strip())
    if isinstance(given, DateField):
        return _moment(text.strip())
    if isinstance(given, JsonField | GeoPointField):
        return _json(text.strip())
    return text


def _number(text: str) -> float | FieldError:
    try:
        number = float(text or 0)
    except ValueError:
        return _NOT_A_NUMBER
    if not math.isfinite(number):
        return _NOT_A_NUMBER
    return int(number) if number.is_integer() else number


def _moment(text: str) -> str | FieldError:
    whole = f"{text}:00" if len(text) == len("2026-01-01T00:00") else text
    return whole if not text or parse_date(whole) else _NOT_A_DATE


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError):
        return _NOT_JSON


def _removals(name: str, texts: Texts) -> dict[str, Any]:
    """Files that were marked to be taken away."""
    gone = [text for text in texts.get(f"{name}-", ()) if text]
    return {f"{name}-": gone} if gone else {}


def _password(collection: Collection, given: PasswordField, texts: Texts) -> dict[str, str]:
    """A new password, if one was typed; what accounts need beside it is typed beside it."""
    typed = {name: "".join(texts.get(name, ())) for name in (given.name, "passwordConfirm", "oldPassword")}
    if not typed[given.name]:
        return {}
    if not collection.is_auth or given.name != "password":
        return {given.name: typed[given.name]}
    return {name: text for name, text in typed.items() if text}
