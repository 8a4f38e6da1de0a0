"""What forms of entry ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from undercroft.collections.collection import Collection
from undercroft.collections.fields.password import PasswordField
from undercroft.pages.controls import Control

_LONGEST: Final = 255

EMAIL: Final = Control(
    "email",
    "E-mail",
    "input",
    {"type": "email", "required": True, "autocomplete": "username", "maxlength": _LONGEST},
)
NEW_EMAIL: Final = Control(
    "newEmail",
    "New e-mail",
    "input",
    {"type": "email", "required": True, "autocomplete": "email", "maxlength": _LONGEST},
)
PASSWORD: Final = Control(
    "password",
    "Password",
    "input",
    {"type": "password", "required": True, "autocomplete": "current-password", "maxlength": _LONGEST},
)


def code_control(name: str, label: str, told: str, **limits: Any) -> Control:
    """A code that somebody reads elsewhere and types here."""
    always: dict[str, Any] = {
        "type": "text",
        "required": True,
        "autocomplete": "one-time-code",
        "maxlength": 71,
        "autofocus": True,
    }
    return Control(name, label, "input", always | limits, help=told)


def new_password_controls(collection: Collection | None, _: Mapping[str, str] | None = None) -> tuple[Control, Control]:
    """A password that is to be, and the same again."""
    field = collection.by_name.get("password") if collection is not None else None
    least = max(field.min if isinstance(field, PasswordField) else 1, 1)
    limits: dict[str, Any] = {
        "type": "password",
        "required": True,
        "autocomplete": "new-password",
        "maxlength": _LONGEST,
        "minlength": least,
    }
    told = f"At least {least} characters." if least > 1 else ""
    return (
        Control("password", "New password", "input", limits, help=told),
        Control("passwordConfirm", "The same again", "input", limits),
    )


def identity_control(collection: Collection | None) -> Control:
    """By what accounts of a collection are known."""
    names = collection.auth.password_auth.identity_fields if collection is not None and collection.auth else ()
    is_email = tuple(names) in ((), ("email",))
    limits: dict[str, Any] = {"type": "email" if is_email else "text", "required": True, "maxlength": _LONGEST}
    label = "E-mail" if is_email else " or ".join("e-mail" if name == "email" else name for name in names).capitalize()
    return Control("identity", label, "input", {**limits, "autocomplete": "username"})
