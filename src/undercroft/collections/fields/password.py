"""Password: kept as a hash, never shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from msgspec import UNSET, UnsetType

from undercroft.collections.fields.base import JSON, Stored, ValueField
from undercroft.collections.fields.casts import as_text
from undercroft.collections.fields.checks import drop_empty, matches, pattern_error, range_error
from undercroft.errors import REQUIRED, FieldError

_LONGEST = 71
_COSTS = (4, 31)
_SHORTEST_PART: Final = 3
BREACHED: Final = FieldError(
    "validation_password_breached", "This password is known from a data breach: others have it. Choose another one."
)
PERSONAL: Final = FieldError(
    "validation_password_personal", "Must not contain the e-mail address, the user name or the name of the account."
)


class PasswordField(ValueField, frozen=True, kw_only=True):
    """A secret of `min` to `max` characters; 0 means up to 71. The stored value is its hash.

    With `not_personal` it has nothing of the account's own address and names in it. With `not_breached` it is not
    on the list of breached passwords, if the server has one; that is so for accounts unless it is false.
    """

    type: ClassVar[str] = "password"

    min: int = 0
    max: int = 0
    pattern: str = ""
    cost: int = 0
    not_personal: bool | UnsetType = UNSET
    not_breached: bool | UnsetType = UNSET

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

    def check_personal(self, text: str, record: Mapping[str, Any]) -> FieldError | None:
        """Why a plain password is refused for a record: it tells too much of whose it is."""
        said = text.casefold()
        is_personal = self.not_personal is True and any(part in said for part in _personal_parts(record))
        return PERSONAL if is_personal else None

    def check_options(self) -> Mapping[str, Any]:
        return drop_empty(
            {
                "min": range_error(self.min, 1, _LONGEST) if self.min else None,
                "max": range_error(self.max, self.min, _LONGEST) if self.max else None,
                "pattern": pattern_error(self.pattern),
                "cost": range_error(self.cost, *_COSTS) if self.cost else None,
            }
        )


def _personal_parts(record: Mapping[str, Any]) -> Iterator[str]:
    """What is in the address and the names of a record, whole and word by word, too short ones left out."""
    local_part = str(record.get("email") or "").rpartition("@")[0]
    for text in (local_part, record.get("username"), record.get("name")):
        if isinstance(text, str):
            parts = {text.strip().casefold(), *text.casefold().split()}
            yield from (part for part in parts if len(part) >= _SHORTEST_PART)
