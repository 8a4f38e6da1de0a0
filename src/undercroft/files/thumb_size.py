"""Sizes of thumbs: `100x50` fills and crops, `t` and `b` say from where, `f` fits inside, `0` keeps the ratio."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Fit = Literal["center", "top", "bottom", "inside"]

_FITS: Final[dict[str, Fit]] = {"": "center", "t": "top", "b": "bottom", "f": "inside"}
_PATTERN: Final = re.compile(r"([0-9]{1,6})x([0-9]{1,6})([tbf]?)")
_ALWAYS: Final = ("100x100",)


@dataclass(frozen=True, slots=True)
class Size:
    """A size of thumbs in pixels, with the text it was declared by; one of the sides may be 0, for free."""

    text: str
    width: int
    height: int
    fit: Fit


def allowed_size(text: str, declared: Iterable[str]) -> Size | None:
    """The size that a request asks for, if its field declares it; `100x100` is always allowed."""
    return parse_size(text) if text in (*_ALWAYS, *declared) else None


def parse_size(text: str) -> Size | None:
    """The size that a text means, if it means one."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        return None
    width, height = int(found[1]), int(found[2])
    return Size(text, width, height, _FITS[found[3]]) if width or height else None
