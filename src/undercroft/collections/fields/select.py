"""Select: texts from a fixed list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import UNSET, UnsetType

from undercroft.collections.fields.base import Stored
from undercroft.collections.fields.checks import drop_empty, range_error
from undercroft.collections.fields.choices import ChoiceField
from undercroft.collections.fields.encrypted import Encrypted
from undercroft.errors import REQUIRED, FieldError


class SelectField(ChoiceField, frozen=True, kw_only=True):
    """One of `values`, or several when `max_select` is more than 1."""

    type: ClassVar[str] = "select"

    values: tuple[str, ...] = ()
    encrypted: bool | Encrypted | UnsetType = UNSET

    def check_value(self, value: Stored) -> FieldError | None:
        texts = self.to_list(value)
        return self._too_many(texts) or self._foreign(texts)

    def check_options(self) -> Mapping[str, Any]:
        return drop_empty(
            {
                "values": None if self.values else REQUIRED,
                "maxSelect": range_error(self.max_select, 0, max(len(self.values), 1)),
            }
        )

    def _foreign(self, texts: list[str]) -> FieldError | None:
        bad = next((text for text in texts if text not in self.values), None)
        if bad is None:
            return None
        return FieldError("validation_invalid_value", f"Invalid value {bad}.", {"value": bad})
