"""Number: a 64-bit float."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from undercroft.collections.fields.base import JSON, Stored
from undercroft.collections.fields.casts import as_number
from undercroft.collections.fields.checks import drop_empty
from undercroft.collections.fields.encrypted import SealableField
from undercroft.database.dialect import ColumnKind
from undercroft.errors import FieldError

_NOT_A_NUMBER = FieldError("validation_not_a_number", "The submitted number is not properly formatted.")
_ONLY_INT = FieldError("validation_only_int_constraint", "Decimal numbers are not allowed.")


class NumberField(SealableField, frozen=True, kw_only=True):
    """A number between `min` and `max`; 0 is the empty value and always allowed unless required."""

    type: ClassVar[str] = "number"

    min: float | None = None
    max: float | None = None
    only_int: bool = False

    @property
    def column(self) -> ColumnKind:
        return "number"

    @property
    def zero(self) -> Stored:
        return 0

    def cast(self, value: JSON) -> Stored:
        return as_number(value)

    def modify(self, sign: str, current: Stored, operand: JSON) -> Stored:
        if sign == "<":
            return current
        return as_number(current + as_number(operand) if sign == "+" else current - as_number(operand))

    def check_value(self, value: Stored) -> FieldError | None:
        if not math.isfinite(value):
            return _NOT_A_NUMBER
        if self.only_int and not float(value).is_integer():
            return _ONLY_INT
        return self._check_range(value)

    def check_options(self) -> Mapping[str, Any]:
        return drop_empty({"min": self._check_bound(self.min), "max": self._check_max()})

    def from_column(self, value: Any) -> Stored:
        return 0 if value is None else value

    def _check_range(self, value: float) -> FieldError | None:
        if self.min is not None and value < self.min:
            return _below(self.min)
        if self.max is not None and value > self.max:
            most = as_number(self.max)
            return FieldError("validation_max_number_constraint", f"Must be less or equal than {most}.", {"max": most})
        return None

    def _check_max(self) -> FieldError | None:
        if self.max is not None and self.min is not None and self.max < self.min:
            return _below(self.min)
        return self._check_bound(self.max)

    def _check_bound(self, bound: float | None) -> FieldError | None:
        return _ONLY_INT if self.only_int and bound is not None and not bound.is_integer() else None


def _below(bound: float) -> FieldError:
    least = as_number(bound)
    return FieldError("validation_min_number_constraint", f"Must be greater or equal than {least}.", {"min": least})
