"""Blank collections: what a new one has before anybody says otherwise."""

from __future__ import annotations

from typing import Final

from undercroft import ids
from undercroft.collections import templates
from undercroft.collections.collection import Collection, CollectionType
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.boolean import BoolField
from undercroft.collections.fields.email import EmailField
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.fields.primary_key import AUTOGENERATE, PATTERN
from undercroft.collections.fields.text import TextField
from undercroft.collections.options import AuthAlert, AuthOptions, Otp, TokenOptions

_SECRET_LENGTH: Final = 50
_HALF_HOUR: Final = 30 * 60
_DAY: Final = 24 * 60 * 60


def scaffold(kind: CollectionType) -> Collection:
    """A blank collection of a type: the fields it must have, no rules, no name, no id."""
    if kind == "view":
        return Collection(id="", name="", type=kind)
    if kind == "auth":
        return Collection(id="", name="", type=kind, fields=(id_field(), *auth_fields()), auth=auth_options())
    return Collection(id="", name="", type=kind, fields=(id_field(),))


def id_field() -> TextField:
    """The id that every collection has."""
    return TextField(
        id=ids.field_id("text", "id"),
        name="id",
        system=True,
        required=True,
        primary_key=True,
        min=15,
        max=15,
        pattern=PATTERN,
        autogenerate_pattern=AUTOGENERATE,
    )


def auth_fields() -> tuple[Field, ...]:
    """The fields that every auth collection has beside the id."""
    return (
        PasswordField(
            id=ids.field_id("password", "password"), name="password", system=True, hidden=True, required=True, min=8
        ),
        TextField(
            id=ids.field_id("text", "tokenKey"),
            name="tokenKey",
            system=True,
            hidden=True,
            required=True,
            min=30,
            max=60,
            autogenerate_pattern="[a-zA-Z0-9]{50}",
        ),
        EmailField(id=ids.field_id("email", "email"), name="email", system=True, required=True),
        BoolField(id=ids.field_id("bool", "emailVisibility"), name="emailVisibility", system=True),
        BoolField(id=ids.field_id("bool", "verified"), name="verified", system=True),
    )


def auth_options() -> AuthOptions:
    """The options of a new auth collection, with fresh secrets."""
    return AuthOptions(
        auth_alert=AuthAlert(email_template=templates.AUTH_ALERT),
        otp=Otp(email_template=templates.OTP),
        verification_template=templates.VERIFICATION,
        reset_password_template=templates.RESET_PASSWORD,
        confirm_email_change_template=templates.CONFIRM_EMAIL_CHANGE,
        auth_token=fresh_token(5 * _DAY),
        password_reset_token=fresh_token(_HALF_HOUR),
        email_change_token=fresh_token(_HALF_HOUR),
        verification_token=fresh_token(_DAY),
        file_token=fresh_token(180),
    )


def fresh_token(seconds: int) -> TokenOptions:
    """Token options with a new secret, which ends all tokens made with the old one."""
    return TokenOptions(duration=seconds, secret=ids.random_text(_SECRET_LENGTH))


def system_indexes(owner: str, table: str) -> dict[str, str]:
    """The unique indexes that every auth collection has, by field. `owner` makes their names unique."""
    return {
        "tokenKey": f"CREATE UNIQUE INDEX `idx_tokenKey_{owner}` ON `{table}` (`tokenKey`)",
        "email": f"CREATE UNIQUE INDEX `idx_email_{owner}` ON `{table}` (`email`) WHERE `email` != ''",
    }
