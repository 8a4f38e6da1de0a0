"""May these options of an auth collection be saved?"""

from __future__ import annotations

from typing import Any, Final

from undercroft.collections.change import Change
from undercroft.collections.check_rules import rule_text_error
from undercroft.collections.collection import Collection
from undercroft.collections.fields.checks import drop_empty, length_error, range_error
from undercroft.collections.fields.url import is_url
from undercroft.collections.options import AuthOptions, Invitations, MagicLink, OAuth2Provider, Template, TokenOptions
from undercroft.collections.providers import PROVIDERS
from undercroft.errors import REQUIRED, FieldError

_LONGEST_TOKEN: Final = 94_670_856
_LONGEST_STEP: Final = 86_400
_SHORTEST: Final = 10
_NO_URL = FieldError("validation_is_url", "Must be a valid URL.")
_TOO_FEW_WAYS = FieldError("validation_mfa_not_enough_auths", "MFA requires at least 2 auth methods to be enabled.")


def check_auth(change: Change) -> dict[str, Any]:
    """Errors in the options, by wire name."""
    options = change.new.auth
    if options is None:
        return {}
    return drop_empty(
        {
            "authAlert": drop_empty({"emailTemplate": _check_template(options.auth_alert.email_template)}),
            "oauth2": drop_empty({"providers": _check_providers(options)}),
            "passwordAuth": drop_empty({"identityFields": _check_identity_fields(change.new, options)}),
            "mfa": _check_mfa(change, options),
            "otp": _check_otp(options),
            "magicLink": _check_letter(options.magic_link, _LONGEST_STEP),
            "invitations": _check_letter(options.invitations, _LONGEST_TOKEN),
            "authToken": _check_token(options.auth_token),
            "passwordResetToken": _check_token(options.password_reset_token),
            "emailChangeToken": _check_token(options.email_change_token),
            "verificationToken": _check_token(options.verification_token),
            "fileToken": _check_token(options.file_token),
            "verificationTemplate": _check_template(options.verification_template),
            "resetPasswordTemplate": _check_template(options.reset_password_template),
            "confirmEmailChangeTemplate": _check_template(options.confirm_email_change_template),
        }
    )


def _check_template(template: Template) -> dict[str, Any]:
    return drop_empty({"subject": None if template.subject else REQUIRED, "body": None if template.body else REQUIRED})


def _check_token(token: TokenOptions) -> dict[str, Any]:
    secret = length_error(token.secret, 30, 255) if token.secret else REQUIRED
    return drop_empty({"duration": _needed(token.duration, _SHORTEST, _LONGEST_TOKEN), "secret": secret})


def _needed(value: int, least: int, most: int) -> FieldError | None:
    return range_error(value, least, most) if value else REQUIRED


def _check_otp(options: AuthOptions) -> dict[str, Any]:
    otp = options.otp
    template = {"emailTemplate": _check_template(otp.email_template)}
    if not otp.enabled:
        return drop_empty(template)
    duration = _needed(otp.duration, _SHORTEST, _LONGEST_STEP)
    length = range_error(otp.length, 4) if otp.length else REQUIRED
    return drop_empty({"duration": duration, "length": length, **template})


def _check_letter(option: MagicLink | Invitations, most: int) -> dict[str, Any]:
    """How long what is in a letter counts; its template is ours, or whole."""
    template = option.email_template
    return drop_empty(
        {
            "duration": _needed(option.duration, _SHORTEST, most) if option.enabled else None,
            "emailTemplate": _check_template(template) if template.subject or template.body else None,
        }
    )


def _check_mfa(change: Change, options: AuthOptions) -> dict[str, Any]:
    is_used = options.mfa.enabled or options.totp.enabled  # who has an app is asked for two by that alone
    if is_used and (duration := _needed(options.mfa.duration, _SHORTEST, _LONGEST_STEP)):
        return {"duration": duration}
    if not options.mfa.enabled:
        return {}
    by_mail = options.otp.enabled or options.magic_link.enabled  # both prove the same
    ways = (options.password_auth, options.oauth2, options.passkeys, options.totp)
    too_few = _TOO_FEW_WAYS if sum(way.enabled for way in ways) + by_mail < 2 else None
    return drop_empty({"enabled": too_few, "rule": rule_text_error(change, options.mfa.rule)})


def _check_identity_fields(collection: Collection, options: AuthOptions) -> FieldError | None:
    if not options.password_auth.enabled:
        return None
    names = options.password_auth.identity_fields
    if not names:
        return REQUIRED
    return next(filter(None, (_check_identity_field(collection, name) for name in names)), None)


def _check_identity_field(collection: Collection, name: str) -> FieldError | None:
    if collection.field(name) is None:
        text = f"Invalid or missing field {name}".rstrip() + "."
        return FieldError("validation_missing_field", text, {"fieldName": name})
    if name not in collection.uniquely_indexed:
        text = f"The field {name} doesn't have a UNIQUE constraint."
        return FieldError("validation_missing_unique_constraint", text, {"fieldName": name})
    return None


def _check_providers(options: AuthOptions) -> dict[str, Any]:
    if not options.oauth2.enabled:
        return {}
    errors: dict[str, Any] = {}
    seen: set[str] = set()
    for n, provider in enumerate(options.oauth2.providers):
        if provider.name and provider.name in seen:
            text = f"The provider {provider.name} is already registered."
            repeated = FieldError("validation_duplicated_provider", text, {"name": provider.name})
            return {str(n): {"name": repeated}}
        seen.add(provider.name)
        errors[str(n)] = _check_provider(provider)
    return drop_empty(errors)


def _check_provider(provider: OAuth2Provider) -> dict[str, Any]:
    urls = {"authURL": provider.auth_url, "tokenURL": provider.token_url, "userInfoURL": provider.user_info_url}
    return drop_empty(
        {
            "name": _check_provider_name(provider.name),
            "clientId": None if provider.client_id else REQUIRED,
            "clientSecret": None if provider.client_secret else REQUIRED,
            **{key: None if not url or is_url(url) else _NO_URL for key, url in urls.items()},
        }
    )


def _check_provider_name(name: str) -> FieldError | None:
    if not name:
        return REQUIRED
    if name in PROVIDERS:
        return None
    return FieldError("validation_missing_provider", f"Invalid or missing provider with name {name}.", {"name": name})
