"""Autodate: the moment of creation or of the last change, set by the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from undercroft.collections.fields.base import JSON, Field, Stored
from undercroft.database.dialect import ColumnKind
from undercroft.dates import parse_date
from undercroft.errors import FieldError

_NEVER = FieldError("validation_required", "Either onCreate or onUpdate must be enabled.")


class AutodateField(Field, frozen=True, kw_only=True):
    """Set on create, on update, or on both; what callers send is not used."""

    type: ClassVar[str] = "autodate"

    on_create: bool = False
    on_update: bool = False

    @property
    def column(self) -> ColumnKind:
        return "date"

    def cast(self, value: JSON) -> Stored:
        return parse_date(value) if isinstance(value, str) else ""

    def check_options(self) -> Mapping[str, Any]:
        return {} if self.on_create or self.on_update else {"onCreate": _NEVER, "onUpdate": _NEVER}
