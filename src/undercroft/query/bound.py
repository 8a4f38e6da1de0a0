"""Values for the placeholders of a filter: `author = {:author}`.

A placeholder stands where a literal may stand. Text, numbers and moments become
literals, bound when the statement runs; None and the booleans become the keywords
of the language, since SQL for them differs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from undercroft.dates import render_date
from undercroft.query.errors import FilterError

Bound = str | int | float | bool | date | None
Literal = str | float

_PLACEHOLDER: Final = re.compile(r"\{:(\w+)\}", re.ASCII)
_KEYWORDS: Final[Mapping[object, str]] = {None: " null ", True: " true ", False: " false "}


def keyword_of(value: Bound) -> str:
    """The keyword that stands for a value, set apart from its neighbours; empty when it is a literal."""
    return _KEYWORDS[value] if value is None or isinstance(value, bool) else ""


def literal_of(name: str, value: Bound) -> Literal:
    """The literal for a value that is no keyword. Raises `FilterError` when it can be none."""
    if isinstance(value, str):
        if "\0" in value:
            raise FilterError(f"The value of {{:{name}}} holds a control character")
        return value
    if isinstance(value, int | float) and math.isfinite(as_float := float(value)):
        return as_float
    if isinstance(value, datetime) and value.tzinfo is not None:
        return render_date(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    raise FilterError(f"The value of {{:{name}}} must be a text, a number, a moment with its time zone, true or null")


def check_names(text: str, used: set[str], values: Mapping[str, Bound]) -> None:
    """Refuse placeholders without a value and values without a placeholder. Raises `FilterError`."""
    for name in used - values.keys():
        raise FilterError(f"There is no value for {{:{name}}}", text.index(f"{{:{name}}}"))
    for name in values.keys() - used:
        if name in _PLACEHOLDER.findall(text):
            raise FilterError(f"{{:{name}}} must stand without quotes", text.index(f"{{:{name}}}"))
        raise FilterError(f"The filter has no {{:{name}}} that would take the value {name!r}")
