"""The error page of development: which line of which file it was, with the lines around it."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import TemplateSyntaxError

from undercroft.errors import Problem

_AROUND: Final = 5
_OURS: Final = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file."""

    number: int
    text: str
    is_at_fault: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file that led to an error; `lines` are those around it."""

    file: str
    number: int
    function: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as a developer wants to read it: first the place in the site where it came up, then the way there."""

    kind: str
    message: str
    places: Sequence[Place]
    trace: str


def describe(error: Exception) -> Fault:
    """What is known of an error."""
    told = getattr(error, "detail", "") or (error.message() if isinstance(error, Problem) else str(error))
    trace = "".join(traceback.format_exception(error))
    return Fault(type(error).__name__, told or "", _places(error), trace)


def _places(error: Exception) -> Sequence[Place]:
    """The places outside of this program and its libraries, the last first; those of templates have their own lines."""
    found: list[Place] = []
    if isinstance(error, TemplateSyntaxError) and error.filename:
        found.append(_place(error.filename, error.lineno, "template"))
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_of_site(frame.filename)]
    found += [_place(frame.filename, frame.lineno or 1, frame.name) for frame in reversed(frames)]
    unique = {(place.file, place.number): place for place in reversed(found)}
    return list(reversed(unique.values()))


def _is_of_site(filename: str) -> bool:
    path = Path(filename)
    if not path.is_file() or path.is_relative_to(_OURS):
        return False
    return not any(part in ("site-packages", "lib", "lib64") for part in path.parts)


def _place(filename: str, number: int, function: str) -> Place:
    linecache.checkcache(filename)
    first = max(1, number - _AROUND)
    texts = [linecache.getline(filename, each) for each in range(first, number + _AROUND + 1)]
    lines = [Line(first + at, text.rstrip("\n"), first + at == number) for at, text in enumerate(texts) if text]
    return Place(filename, number, function, lines)
