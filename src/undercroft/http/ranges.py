"""The Range header (RFC 9110, 14): which parts of a file are asked for.

Reading takes time and memory in proportion to a few ranges, whatever is sent: a header
that is too long, or asks for too many ranges, or for more than the whole, gets the whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_RANGES: Final = 8
_LONGEST: Final = 1000
_MANY_DIGITS: Final = 18
_RANGE: Final = re.compile(r"([0-9]*)-([0-9]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start

    def told(self, size: int) -> str:
        """What Content-Range says of it, in a file of that size."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


class BadRange(ValueError):
    """The header asks for nothing that makes sense."""


class RangeNotThere(BadRange):
    """None of the ranges is in the file."""


def parse_range(header: str, size: int) -> Sequence[Span]:
    """The spans that are asked for of a file; none for the whole. Raises `BadRange`, `RangeNotThere`."""
    unit, sign, text = header.partition("=")
    if unit.strip().lower() != "bytes" or len(header) > _LONGEST:
        if not sign:
            raise BadRange
        return ()  # RFC 9110, 14.2: a unit that is not understood is ignored
    asked = [part for part in (each.strip() for each in text.split(",")) if part]
    if len(asked) > MAX_RANGES:
        return ()
    if not asked:
        raise BadRange
    found = [span for span in (_read(part, size) for part in asked) if span is not None]
    if not found and size:
        raise RangeNotThere
    return found if sum(span.length for span in found) <= size else ()


def _read(text: str, size: int) -> Span | None:
    """One range, cut to the file; None when it lies outside."""
    read = _RANGE.fullmatch(text)
    if read is None or text == "-":
        raise BadRange
    first, last = read.groups()
    if not first:
        start, stop = max(0, size - _number(last)), size
    else:
        start, stop = _number(first), _number(last) + 1 if last else size
        if last and stop <= start:
            raise BadRange
    stop = min(stop, size)
    return Span(start, stop) if start < stop else None


def _number(digits: str) -> int:
    """The number; one with very many digits is as good as any that no file reaches."""
    return int(digits) if len(digits) <= _MANY_DIGITS else 10**_MANY_DIGITS
