"""Bound values: where each placeholder of a plan gets its value when it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam

from undercroft.database.dialect import ColumnKind, Expression, Kind
from undercroft.database.engine import Value
from undercroft.query.scope import Scope


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a plan runs with: the caller, the literals of the filter, and named values such as a limit."""

    scope: Scope
    literals: Sequence[str | float] = ()
    named: Mapping[str, Value] = field(default_factory=dict)


_SPECIAL = re.compile(r"\\[\\%_]|[\\%_]")

Source = Callable[[Inputs], Value]


class Binds:
    """The bound values of one statement, in the order they were met."""

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}

    def add(self, source: Source, kind: ColumnKind = "text") -> Expression:
        """A placeholder that takes its value from `source`, which gives values of that kind only."""
        name = f"p{len(self.sources)}"
        self.sources[name] = source
        return bindparam(name, type_=Kind(kind))

    def named(self, name: str, kind: ColumnKind = "text") -> Expression:
        """A placeholder for a named value."""
        return self.add(lambda inputs: inputs.named[name], kind)


def literal_source(index: int) -> Source:
    """The literal of that number in the caller's filter."""

    def source(inputs: Inputs) -> Value:
        return inputs.literals[index]

    return source


def like_pattern(value: Any) -> Value:
    r"""The LIKE pattern for a searched value: as it is when it holds an unescaped `%`, else "contains"."""
    if value is None:
        return None
    text = number_text(value) if isinstance(value, float) else str(value)
    return text if _has_wildcard(text) else f"%{_SPECIAL.sub(_escape, text)}%"


def number_text(value: float) -> str:
    """A number as people write it: no `.0` behind whole numbers."""
    return str(int(value)) if value.is_integer() else repr(value)


def _escape(found: re.Match[str]) -> str:
    """A special character escaped, unless it already was."""
    return found[0] if len(found[0]) > 1 else "\\" + found[0]


def _has_wildcard(text: str) -> bool:
    before = ""
    for character in text:
        if character == "%" and before != "\\":
            return True
        before = character
    return False
