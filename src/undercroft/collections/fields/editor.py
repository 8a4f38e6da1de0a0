"""Editor: HTML, stored as it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from undercroft.collections.fields.base import JSON, Stored
from undercroft.collections.fields.casts import as_text
from undercroft.collections.fields.checks import drop_empty, range_error, size_error
from undercroft.collections.fields.encrypted import SealableField
from undercroft.errors import FieldError

_DEFAULT_SIZE = 5 << 20


class EditorField(SealableField, frozen=True, kw_only=True):
    """HTML of at most `max_size` bytes; 0 means 5 MiB."""

    type: ClassVar[str] = "editor"

    max_size: int = 0
    convert_urls: bool = msgspec.field(default=False, name="convertURLs")

    def cast(self, value: JSON) -> Stored:
        return as_text(value)

    def check_value(self, value: Stored) -> FieldError | None:
        return size_error(value, self.max_size or _DEFAULT_SIZE, "validation_content_size_limit", "content")

    def check_options(self) -> Mapping[str, Any]:
        return drop_empty({"maxSize": range_error(self.max_size)})
