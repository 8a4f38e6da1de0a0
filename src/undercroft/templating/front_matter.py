"""Front matter: what a page says about itself in lines of `name: value` between two lines of `---`.

A value that TOML could read (`true`, `3`, `["a", "b"]`, `2026-11-22`) is that value;
any other is the text as it stands.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from undercroft.errors import Problem

_FENCE: Final = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_LINE: Final = re.compile(r"([A-Za-z_]\w*)[ \t]*:[ \t]*(.*)")


class BadFrontMatter(Problem):
    """A line of a page's front matter cannot be read."""

    code = "bad_front_matter"

    def __init__(self, file: str, line: int, text: str) -> None:
        super().__init__(f"{file}, line {line}: write `name: value` between the lines of ---, not {text!r}.")
        self.file = file
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """A page's file taken apart; `lines` are those that stood before the body."""

    front: Mapping[str, Any]
    body: str
    lines: int = 0


def read_document(text: str, file: str) -> Document:
    """The front matter and the body of a file; `file` is its name for errors. Raises `BadFrontMatter`."""
    found = _FENCE.match(text)
    if found is None:
        return Document({}, text)
    lines = [(number, line.strip()) for number, line in enumerate(found[1].splitlines(), 2)]
    front = dict(_read_line(file, number, line) for number, line in lines if line and line[0] != "#")
    return Document(front, text[found.end() :], found[0].count("\n"))


def _read_line(file: str, number: int, line: str) -> tuple[str, Any]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise BadFrontMatter(file, number, line)
    return found[1], _read_value(found[2].strip())


def _read_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
