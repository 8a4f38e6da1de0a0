"""What every field type has and can do.

A field is a frozen value: its options as they stand in the collection's JSON,
and pure functions over values. *Stored values* are what records hold in Python:

    text, editor, email, url, date, autodate, password   str, "" when empty
    number                                               int or float, 0 when empty
    bool                                                 bool
    select, relation, file (single)                      str, "" when empty
    select, relation, file (multiple)                    list[str], [] when empty
    json                                                 any JSON value, None when empty
    geoPoint                                             {"lon": float, "lat": float}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from undercroft.database.dialect import ColumnKind
from undercroft.errors import REQUIRED, FieldError

JSON = Any  # a JSON value; Python has no recursive alias that mypy and msgspec both take
Stored = Any  # a stored value as the table above has it


@dataclass(frozen=True, slots=True)
class OptionContext:
    """What a field may look at when its links are checked."""

    find_collection: Callable[[str], Any]  # id -> Collection or None, the saved ones and the new one
    owner: Any  # the Collection the field belongs to, as it is to be
    before: Any  # the same field as it stands now, or None


class Field(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One field of a collection."""

    type: ClassVar[str] = ""

    id: str = ""
    name: str = ""
    system: bool = False
    hidden: bool = False
    presentable: bool = False

    @property
    def column(self) -> ColumnKind:
        """What kind of column keeps it."""
        return "text"

    @property
    def is_multiple(self) -> bool:
        """Whether it holds a list."""
        return False

    @property
    def is_required(self) -> bool:
        """Whether the zero value is refused."""
        return bool(getattr(self, "required", False))

    @property
    def zero(self) -> Stored:
        """The value when none was given."""
        return ""

    def cast(self, value: JSON) -> Stored:
        """The stored value for submitted input. Never raises: what makes no sense becomes zero."""
        raise NotImplementedError(self.type)

    def modify(self, sign: str, current: Stored, operand: JSON) -> Stored:
        """The value after a write modifier: sign is `+` (f+), `-` (f-) or `<` (+f). Others ignore it."""
        del sign, operand
        return current

    def check(self, value: Stored) -> FieldError | None:
        """Why a stored value is refused, looking at the value alone."""
        if value == self.zero:
            return REQUIRED if self.is_required else None
        return self.check_value(value)

    def check_value(self, value: Stored) -> FieldError | None:
        """Like `check`, for values that are not zero."""
        del value
        return None

    def check_options(self) -> Mapping[str, Any]:
        """Errors in the options themselves, by wire name."""
        return {}

    def check_links(self, context: OptionContext) -> Mapping[str, Any]:
        """Errors in the options that show only beside other collections, by wire name."""
        del context
        return {}

    def to_column(self, value: Stored) -> str | int | float | None:
        """The stored value as the database driver takes it."""
        return value  # type: ignore[no-any-return]  # text by default; other types override

    def from_column(self, value: Any) -> Stored:
        """The stored value from what the database driver gave."""
        return "" if value is None else value


class ValueField(Field, frozen=True, kw_only=True):
    """A field whose value callers give."""

    help: str = ""
    required: bool = False
