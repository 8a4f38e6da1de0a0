"""Json: any JSON value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from undercroft.collections.fields.base import JSON, Stored
from undercroft.collections.fields.casts import as_json, parse_json
from undercroft.collections.fields.checks import drop_empty, range_error, size_error
from undercroft.collections.fields.encrypted import SealableField
from undercroft.database.dialect import ColumnKind
from undercroft.errors import REQUIRED, FieldError

_DEFAULT_SIZE = 1 << 20


class JsonField(SealableField, frozen=True, kw_only=True):
    """A JSON value of at most `max_size` bytes; 0 means 1 MiB."""

    type: ClassVar[str] = "json"

    max_size: int = 0

    @property
    def column(self) -> ColumnKind:
        return "json"

    @property
    def zero(self) -> Stored:
        return None

    def cast(self, value: JSON) -> Stored:
        return as_json(value)

    def check(self, value: Stored) -> FieldError | None:
        if self.required and _is_empty(value):
            return REQUIRED
        return self.check_value(value)

    def check_value(self, value: Stored) -> FieldError | None:
        text = msgspec.json.encode(value).decode()
        return size_error(text, self.max_size or _DEFAULT_SIZE, "validation_json_size_limit", "JSON")

    def check_options(self) -> Mapping[str, Any]:
        return drop_empty({"maxSize": range_error(self.max_size)})

    def to_column(self, value: Stored) -> str | int | float | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def from_column(self, value: Any) -> Stored:
        return parse_json(value) if isinstance(value, str) else value


def _is_empty(value: Stored) -> bool:
    return value is None or value in ("", [], {})
