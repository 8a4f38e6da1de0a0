"""Date: a moment, kept as text in UTC."""

from __future__ import annotations

from typing import ClassVar

from undercroft.collections.fields.base import JSON, Stored
from undercroft.collections.fields.encrypted import SealableField
from undercroft.database.dialect import ColumnKind
from undercroft.dates import parse_date
from undercroft.errors import FieldError


class DateField(SealableField, frozen=True, kw_only=True):
    """A moment between `min` and `max`, both inclusive and possibly `""`."""

    type: ClassVar[str] = "date"

    min: str = ""
    max: str = ""

    @property
    def column(self) -> ColumnKind:
        return "date"

    def cast(self, value: JSON) -> Stored:
        return parse_date(value) if isinstance(value, str) else ""

    def check_value(self, value: Stored) -> FieldError | None:
        if self.min and value < self.min:
            text, params = f"Must be no less than {_spoken(self.min)}.", {"threshold": _rfc3339(self.min)}
            return FieldError("validation_min_greater_equal_than_required", text, params)
        if self.max and value > self.max:
            text, params = f"Must be no greater than {_spoken(self.max)}.", {"threshold": _rfc3339(self.max)}
            return FieldError("validation_max_less_equal_than_required", text, params)
        return None


def _fraction(date: str) -> str:
    return date[19:-1].rstrip("0").rstrip(".")


def _spoken(date: str) -> str:
    return f"{date[:19]}{_fraction(date)} +0000 UTC"


def _rfc3339(date: str) -> str:
    return f"{date[:10]}T{date[11:19]}{_fraction(date)}Z"
