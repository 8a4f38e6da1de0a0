"""Password: kept as a hash, never shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from undercroft.collections.fields.base import JSON, Stored, ValueField
from undercroft.collections.fields.casts import as_text
from undercroft.collections.fields.checks import drop_empty, matches, pattern_error, range_error
from undercroft.errors import REQUIRED, FieldError

_LONGEST = 71
_COSTS = (4, 31)


class PasswordField(ValueField, frozen=True, kw_only=True):
    """A secret of `min` to `max` characters; 0 means up to 71. The stored value is its hash."""

    type: ClassVar[str] = "password"

    min: int = 0
    max: int = 0
    pattern: str = ""
    cost: int = 0

    def cast(self, value: JSON) -> Stored:
        """The plain text; whoever writes the record checks and hashes it."""
        return as_text(value)

    def check_plain(self, text: str) -> FieldError | None:
        """Why a plain password is refused."""
        if not text:
            return REQUIRED if self.required else None
        if len(text) < self.min:
            return FieldError("validation_min_text_constraint", f"Must be at least {self.min} character(s).")
        most = self.max or _LONGEST
        if len(text) > most:
            return FieldError("validation_max_text_constraint", f"Must be less than {most} character(s).")
        if self.pattern and not matches(self.pattern, text):
            return FieldError("validation_invalid_format", "Invalid value format.")
        return None

    def check_options(self) -> Mapping[str, Any]:
        return drop_empty(
            {
                "min": range_error(self.min, 1, _LONGEST) if self.min else None,
                "max": range_error(self.max, self.min, _LONGEST) if self.max else None,
                "pattern": pattern_error(self.pattern),
                "cost": range_error(self.cost, *_COSTS) if self.cost else None,
            }
        )
