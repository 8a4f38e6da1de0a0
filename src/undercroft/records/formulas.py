"""Texts that a spreadsheet would run.

A cell that starts with `=`, `+`, `-`, `@`, a tab or a carriage return is a formula
to a spreadsheet. Texts in exported CSV that start so get an apostrophe in front;
importing takes it off again, so that a round trip changes nothing.
"""

from __future__ import annotations

import re
from typing import Final

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")


def guard(text: str) -> str:
    """The text with an apostrophe in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguard(text: str) -> str:
    """The text without the apostrophe that `guard` put there."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text) else text
