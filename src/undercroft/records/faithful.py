"""Whether a value survives being stored.

The API takes what makes no sense as empty: `"abc"` for a number is 0. That is
kind to a form and treacherous in an import of a million rows, so an import asks
here first and puts the row aside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.boolean import BoolField
from undercroft.collections.fields.casts import EXACT, parse_json
from undercroft.collections.fields.choices import ChoiceField
from undercroft.collections.fields.json import JsonField
from undercroft.collections.fields.number import NumberField
from undercroft.dates import parse_date
from undercroft.errors import FieldError

_NO: Final = frozenset({"0", "f", "false", "n", "no", "off"})
_NOTHING: Final[tuple[Any, ...]] = (None, "")
_ALWAYS_KEPT: Final[Mapping[str, tuple[type, ...]]] = {
    **dict.fromkeys(("text", "editor", "email", "url", "select", "relation"), (str,)),
    "bool": (bool,),
    "number": (float, bool),
}
_WORDS: Final = {
    "bool": "true or false",
    "date": "a date",
    "autodate": "a date",
    "geoPoint": "a point",
    "number": "a number",
}


def loss(field: Field, given: Any) -> FieldError | None:
    """Why storing the given value would lose it, or None."""
    if isinstance(field, JsonField) or given in _NOTHING or type(given) in _ALWAYS_KEPT.get(field.type, ()):
        return None
    stored: Any = (
        parse_date(given) if isinstance(field, AutodateField) and isinstance(given, str) else field.cast(given)
    )
    if stored == field.zero:
        return None if _is_zero(field, given) else _not_understood(field, given)
    if isinstance(field, NumberField):
        return _check_digits(given, stored)
    if isinstance(field, ChoiceField) and not field.is_multiple and isinstance(given, list) and len(given) > 1:
        return FieldError("validation_too_many_values", "Select no more than 1.", {"maxSelect": 1})
    return None


def _is_zero(field: Field, given: Any) -> bool:
    """Whether the value says zero, false or empty itself."""
    if isinstance(field, BoolField):
        return given == 0 or str(given).lower() in _NO
    if isinstance(field, NumberField):
        return _is_number(given)
    value = parse_json(given) if isinstance(given, str) else given
    if isinstance(value, dict):
        return all(part == 0 for part in value.values())
    return bool(value == [])


def _is_number(given: Any) -> bool:
    try:
        return float(given) == 0
    except (TypeError, ValueError):
        return False


def _check_digits(given: Any, stored: float) -> FieldError | None:
    """Integers beyond 2^53 do not fit a 64-bit float."""
    try:
        exact = int(given) if isinstance(given, int | str) else None
    except ValueError:
        return None
    if exact is None or abs(exact) <= EXACT or not math.isfinite(stored) or int(stored) == exact:
        return None
    return FieldError("import_not_exact", f"{exact} has more digits than a number field keeps; use a text field.")


def _not_understood(field: Field, given: Any) -> FieldError:
    shown = str(given)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return FieldError(
        "import_not_understood", f"{shown!r} is not {_WORDS.get(field.type, f'a value for {field.type}')}."
    )
