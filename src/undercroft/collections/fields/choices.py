"""What select, relation and file have in common: one text, or a list of texts."""

from __future__ import annotations

from typing import Any

import msgspec

from undercroft.collections.fields.base import JSON, Stored, ValueField
from undercroft.collections.fields.casts import as_texts
from undercroft.database.dialect import ColumnKind
from undercroft.errors import FieldError


class ChoiceField(ValueField, frozen=True, kw_only=True):
    """One text, or up to `max_select` of them when that is more than 1."""

    max_select: int = 0

    @property
    def column(self) -> ColumnKind:
        return "list" if self.is_multiple else "text"

    @property
    def is_multiple(self) -> bool:
        return self.max_select > 1

    @property
    def zero(self) -> Stored:
        return [] if self.is_multiple else ""

    def cast(self, value: JSON) -> Stored:
        return self._from_list(as_texts(value))

    def modify(self, sign: str, current: Stored, operand: JSON) -> Stored:
        have, given = self.to_list(current), as_texts(operand)
        if sign == "-":
            gone = frozenset(given)
            return self._from_list([text for text in have if text not in gone])
        joined = have + given if sign == "+" else given + have
        return self._from_list(list(dict.fromkeys(joined)))

    def to_list(self, value: Stored) -> list[str]:
        """The stored value as a list, whatever `max_select` says."""
        if isinstance(value, str):
            return [value] if value else []
        return list(value)

    def to_column(self, value: Stored) -> str | int | float | None:
        return msgspec.json.encode(value).decode() if self.is_multiple else value

    def from_column(self, value: Any) -> Stored:
        if not self.is_multiple:
            return "" if value is None else value
        return as_texts(value) if value else []

    def _from_list(self, texts: list[str]) -> Stored:
        return texts if self.is_multiple else (texts[-1] if texts else "")

    def _too_many(self, texts: list[str]) -> FieldError | None:
        most = max(self.max_select, 1)
        if len(texts) <= most:
            return None
        return FieldError("validation_too_many_values", f"Select no more than {most}.", {"maxSelect": most})
