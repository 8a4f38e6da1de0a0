"""What is special about the id field of a collection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from undercroft.errors import REQUIRED, FieldError

if TYPE_CHECKING:
    from undercroft.collections.fields.text import TextField

PATTERN = "^[a-z0-9]+$"
AUTOGENERATE = "[a-z0-9]{15}"
_FORBIDDEN = frozenset("./\\|\"'`<>:?*%$\0\t\n\r ")
_DEVICE = re.compile(r"con|prn|aux|nul|(?:com|lpt)[1-9]", re.IGNORECASE)


def is_plain(value: str) -> bool:
    """Whether an id is of the usual form; quicker to say than by the pattern itself."""
    return value.isascii() and value.isalnum() and (value.islower() or value.isdigit())


def check_characters(value: str) -> FieldError | None:
    """Why an id of a free form cannot be a file name everywhere, or None."""
    bad = next((character for character in value if character in _FORBIDDEN), None)
    if bad is not None:
        text = f"'{bad}' is not a valid primary key character."
        return FieldError("validation_forbidden_pk_character", text, {"ch": bad})
    if _DEVICE.fullmatch(value):
        text = f"The primary key '{value}' is reserved and cannot be used."
        return FieldError("validation_reserved_pk", text, {"reserved": value})
    return None


def check_options(field: TextField) -> dict[str, Any]:
    """Errors in the options that only the id field has."""
    errors: dict[str, Any] = {}
    if field.name.lower() != "id":
        errors["name"] = FieldError("validation_in_invalid", 'The primary key must be named "id".')
    if not field.required:
        errors["required"] = REQUIRED
    if not field.pattern:
        errors["pattern"] = REQUIRED
    if field.hidden:
        errors["hidden"] = FieldError("validation_empty", "Must be blank.")
    return errors
