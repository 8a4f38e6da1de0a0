"""Text: plain lines, and the id of a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from undercroft import ids
from undercroft.collections.fields import autogenerate, primary_key
from undercroft.collections.fields.base import JSON, Stored
from undercroft.collections.fields.casts import as_text
from undercroft.collections.fields.checks import (
    MAX_SAFE_INTEGER,
    drop_empty,
    matches,
    pattern_error,
    range_error,
)
from undercroft.collections.fields.encrypted import SealableField
from undercroft.database.dialect import ColumnKind
from undercroft.errors import FieldError

_DEFAULT_MAX = 5000
_SAMPLES = 5


class TextField(SealableField, frozen=True, kw_only=True):
    """Text, by default of at most 5,000 characters. `primary_key` marks the id of a collection."""

    type: ClassVar[str] = "text"

    min: int = 0
    max: int = 0
    pattern: str = ""
    autogenerate_pattern: str = ""
    primary_key: bool = False

    @property
    def column(self) -> ColumnKind:
        return "id" if self.primary_key else "text"

    def cast(self, value: JSON) -> Stored:
        return as_text(value)

    def check_value(self, value: Stored) -> FieldError | None:
        return self._check_length(value) or self._check_form(value)

    def generate(self) -> str:
        """A fresh value for an empty one; `""` when nothing is generated."""
        if self.autogenerate_pattern == primary_key.AUTOGENERATE:
            return ids.record_id()
        return autogenerate.generate(self.autogenerate_pattern) if self.autogenerate_pattern else ""

    def check_options(self) -> Mapping[str, Any]:
        return drop_empty(
            {
                "min": range_error(self.min),
                "max": range_error(self.max, self.min, MAX_SAFE_INTEGER) if self.max else None,
                "pattern": pattern_error(self.pattern),
                "autogeneratePattern": self._check_autogenerate(),
            }
        ) | (primary_key.check_options(self) if self.primary_key else {})

    def _check_length(self, value: str) -> FieldError | None:
        if len(value) < self.min:
            text = f"Must be at least {self.min} character(s)."
            return FieldError("validation_min_text_constraint", text, {"min": self.min})
        most = self.max or _DEFAULT_MAX
        if len(value) > most:
            text = f"Must be no more than {most} character(s)."
            return FieldError("validation_max_text_constraint", text, {"max": most})
        return None

    def _check_form(self, value: str) -> FieldError | None:
        if self.pattern == primary_key.PATTERN and primary_key.is_plain(value):
            return None
        if self.pattern and not matches(self.pattern, value):
            return FieldError("validation_invalid_format", "Invalid value format.")
        if self.primary_key and self.pattern != primary_key.PATTERN:
            return primary_key.check_characters(value)
        return None

    def _check_autogenerate(self) -> FieldError | None:
        pattern = self.autogenerate_pattern
        if not pattern or pattern_error(self.pattern):
            return None
        wrong = pattern_error(pattern)
        if wrong:
            return wrong
        try:
            samples = [autogenerate.generate(pattern) for _ in range(_SAMPLES)]
        except autogenerate.UnsupportedPatternError as error:
            return FieldError("validation_invalid_autogenerate_pattern", f"Invalid autogenerate pattern: {error}.")
        return next((_bad_sample(sample) for sample in samples if self.check_value(sample)), None)


def _bad_sample(sample: str) -> FieldError:
    text = f'The provided autogenerate pattern could produce invalid field values, ex.: "{sample}".'
    return FieldError("validation_invalid_autogenerate_pattern_value", text)
