"""What forms about accounts are checked for, and the errors they get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from undercroft.collections.fields.email import is_email
from undercroft.errors import REQUIRED, FieldError, Invalid

LONGEST: Final = 255
NOT_AN_EMAIL: Final = FieldError("validation_is_email", "Must be a valid email address.")


def refuse(errors: Mapping[str, FieldError | None], text: str = "") -> None:
    """Raise `Invalid` with the errors there are, if there are any."""
    found: dict[str, Any] = {name: error for name, error in errors.items() if error is not None}
    if found:
        raise Invalid(found, text)


def email_error(text: str) -> FieldError | None:
    """Why a text is no address."""
    return text_error(text) or (None if is_email(text) else NOT_AN_EMAIL)


def text_error(text: str, most: int = LONGEST, least: int = 1) -> FieldError | None:
    """Why a text that must be there is too short or too long."""
    if not text:
        return REQUIRED
    if least <= len(text) <= most:
        return None
    message = f"The length must be between {least} and {most}."
    return FieldError("validation_length_out_of_range", message, {"min": least, "max": most})
