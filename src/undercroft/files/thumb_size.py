"""Sizes of thumbs: `100x50` fills and crops, `t` and `b` say from where, `f` fits inside, `0` keeps the ratio."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

Fit = Literal["center", "top", "bottom", "inside"]

_FITS: Final[dict[str, Fit]] = {"": "center", "t": "top", "b": "bottom", "f": "inside"}
_PATTERN: Final = re.compile(r"([0-9]{1,6})x([0-9]{1,6})([tbf]?)")
_ALWAYS: Final = ("100x100",)


class Size(Struct, frozen=True):
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


def scaled(size: Size, width: int, height: int) -> tuple[int, int]:
    """The width and height of the thumb of an image that is `width` by `height`.

    One that fits inside is never larger than the image; every other has the size it asks for.
    """
    if not size.width:
        return _at_least_one(width * size.height / height + 0.5), size.height
    if not size.height:
        return size.width, _at_least_one(height * size.width / width + 0.5)
    if size.fit != "inside":
        return size.width, size.height
    factor = min(1.0, size.width / width, size.height / height)
    return _at_least_one(width * factor), _at_least_one(height * factor)


def cut(size: Size, width: int, height: int) -> tuple[float, float, float, float]:
    """The part of an image that its thumb shows: left, top, right, bottom."""
    if not size.width or not size.height or size.fit == "inside":
        return 0, 0, width, height
    factor = min(width / size.width, height / size.height)
    shown_width, shown_height = min(width, size.width * factor), min(height, size.height * factor)
    left = (width - shown_width) / 2
    top = {"top": 0.0, "bottom": height - shown_height}.get(size.fit, (height - shown_height) / 2)
    return left, top, min(width, left + shown_width), min(height, top + shown_height)


def _at_least_one(length: float) -> int:
    return max(1, int(length))
