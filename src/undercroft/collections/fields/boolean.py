"""Bool: true or false."""

from __future__ import annotations

from typing import Any, ClassVar

from undercroft.collections.fields.base import JSON, Stored, ValueField
from undercroft.database.dialect import ColumnKind

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})


class BoolField(ValueField, frozen=True, kw_only=True):
    """True or false; required means true."""

    type: ClassVar[str] = "bool"

    @property
    def column(self) -> ColumnKind:
        return "bool"

    @property
    def zero(self) -> Stored:
        return False

    def cast(self, value: JSON) -> Stored:
        if isinstance(value, str):
            return value in _TRUE
        return isinstance(value, int | float) and value != 0

    def from_column(self, value: Any) -> Stored:
        return bool(value)
