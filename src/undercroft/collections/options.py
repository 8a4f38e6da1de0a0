"""The options of auth collections, as they stand in the collection's JSON."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec


class _Options(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Shared settings of the option structs below."""


class Template(_Options, frozen=True):
    """The subject and the HTML body of a mail."""

    subject: str = ""
    body: str = ""


class TokenOptions(_Options, frozen=True):
    """How long tokens of a kind live, in seconds, and the collection's part of their key."""

    duration: int = 0
    secret: str = ""


class PasswordAuth(_Options, frozen=True):
    """Logging in with a password, and the fields that name the account."""

    enabled: bool = True
    identity_fields: tuple[str, ...] = ("email",)


class OAuth2Provider(_Options, frozen=True):
    """A provider of OAuth2, with the keys this application has there."""

    name: str = ""
    client_id: str = ""
    client_secret: str = ""
    auth_url: str = msgspec.field(default="", name="authURL")
    token_url: str = msgspec.field(default="", name="tokenURL")
    user_info_url: str = msgspec.field(default="", name="userInfoURL")
    display_name: str = ""
    pkce: bool | None = None
    extra: dict[str, Any] | None = None


class MappedFields(_Options, frozen=True):
    """Which fields are filled from what a provider knows of a new account."""

    id: str = ""
    name: str = ""
    username: str = ""
    avatar_url: str = msgspec.field(default="", name="avatarURL")


class OAuth2(_Options, frozen=True):
    """Logging in through others."""

    enabled: bool = False
    providers: tuple[OAuth2Provider, ...] = ()
    mapped_fields: MappedFields = MappedFields()


class Mfa(_Options, frozen=True):
    """Asking for a second way to log in; the rule says of whom."""

    enabled: bool = False
    duration: int = 600
    rule: str = ""


class Otp(_Options, frozen=True):
    """Logging in with a code sent by mail."""

    enabled: bool = False
    duration: int = 180
    length: int = 8
    email_template: Template = Template()


class MagicLink(_Options, frozen=True):
    """Logging in with a link sent by mail; without a template of its own the letter is ours."""

    enabled: bool = False
    duration: int = 900
    email_template: Template = Template()


class Invitations(_Options, frozen=True):
    """Letting superusers and managers invite people by mail; without a template of its own the letter is ours."""

    enabled: bool = False
    duration: int = 604_800
    email_template: Template = Template()


Verification = Literal["required", "preferred"]


class Passkeys(_Options, frozen=True):
    """Logging in with passkeys, and whether an authenticator must know its user, by a finger or a PIN."""

    enabled: bool = False
    user_verification: Verification = "required"


class Totp(_Options, frozen=True):
    """Whether accounts may ask for codes of an authenticator app as their second factor."""

    enabled: bool = False


class AuthAlert(_Options, frozen=True):
    """Telling an account of logins from somewhere new."""

    enabled: bool = True
    email_template: Template = Template()


class AuthOptions(_Options, frozen=True):
    """Everything an auth collection has beyond its fields and rules."""

    auth_rule: str | None = ""
    manage_rule: str | None = None
    auth_alert: AuthAlert = AuthAlert()
    oauth2: OAuth2 = OAuth2()
    password_auth: PasswordAuth = PasswordAuth()
    mfa: Mfa = Mfa()
    otp: Otp = Otp()
    passkeys: Passkeys = Passkeys()
    totp: Totp = Totp()
    magic_link: MagicLink = MagicLink()
    invitations: Invitations = Invitations()
    auth_token: TokenOptions = TokenOptions(duration=432000)
    password_reset_token: TokenOptions = TokenOptions(duration=1800)
    email_change_token: TokenOptions = TokenOptions(duration=1800)
    verification_token: TokenOptions = TokenOptions(duration=86400)
    file_token: TokenOptions = TokenOptions(duration=180)
    verification_template: Template = Template()
    reset_password_template: Template = Template()
    confirm_email_change_template: Template = Template()


BEYOND_THE_WIRE: Final = ("passkeys", "totp", "magicLink", "invitations")
"""Options that PocketBase does not know: in a collection's JSON there are none of them until somebody sets them."""
