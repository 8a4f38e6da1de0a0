"""Form values: text that becomes JSON values before anything else sees it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

_NUMBER = re.compile(r"[-0-9][-.0-9]*", re.ASCII)
_LONGEST = 350  # no double prints longer without an exponent, but for tiny ones nobody types


def infer(text: str) -> Any:
    """A boolean or number when the text is exactly how one prints, else the text."""
    if text in {"true", "false"}:
        return text == "true"
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    if render_number(number) != text:
        return text
    return number if "." in text else int(text)


def infer_all(texts: list[str]) -> Any:
    """The value of a name: of its only text, or an array for several."""
    return infer(texts[0]) if len(texts) == 1 else [infer(text) for text in texts]


def render_number(number: float) -> str:
    """The shortest decimal text that reads back as the number, without an exponent."""
    text = format(Decimal(repr(number)), "f") if number - number == 0 else str(number)
    return text.removesuffix(".0")
