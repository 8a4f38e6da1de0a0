"""What settings must satisfy, and the errors when they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from ipaddress import ip_interface
from typing import Any, Final

from undercroft.collections.fields.checks import drop_empty, length_error, matches, too_small
from undercroft.collections.fields.email import is_email
from undercroft.collections.fields.url import is_url
from undercroft.errors import REQUIRED, FieldError, Invalid
from undercroft.settings.cron import check_cron
from undercroft.settings.settings import S3, Backups, Batch, Logs, Meta, RateLimitRule, RateLimits, Settings, Smtp

_LABEL: Final = r"^(?:\w+ /[\w/-]*|/[\w/-]*|\w+:\w+|\*:\w+|\w+)$"
_HOST: Final = r"^(?:[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?\.)*[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,62})?\.?$"
_COLOR: Final = r"^#[0-9a-fA-F]{6}$"
_AUDIENCES: Final = ("", "@guest", "@auth")
_METHODS: Final = ("", "LOGIN", "PLAIN")

NOT_IN_LIST: Final = FieldError("validation_in_invalid", "Must be a valid value.")
NOT_A_MATCH: Final = FieldError("validation_match_invalid", "Must be in a valid format.")
NOT_AN_EMAIL: Final = FieldError("validation_is_email", "Must be a valid email address.")
NOT_A_URL: Final = FieldError("validation_is_url", "Must be a valid URL.")
NOT_A_HOST: Final = FieldError("validation_is_host", "Must be a valid IP address or DNS name.")
NOT_A_COLOR: Final = FieldError("validation_is_hex_color", "Must be a valid hexadecimal color code.")
NOT_AN_IP: Final = FieldError("validation_invlaid_ip_or_subnet", "Invalid IP or CIDR subnet.")  # spelt so on the wire

Check = Callable[[Any], FieldError | None]
Errors = Mapping[str, Any]


class InvalidSettings(Invalid):
    """Some settings were refused."""

    code = "invalid_settings"
    default = "An error occurred while saving the new settings."


def check_settings(settings: Settings) -> None:
    """Raises `InvalidSettings` with every error there is."""
    errors = drop_empty(
        {
            "backups": _backups(settings.backups),
            "batch": _batch(settings.batch),
            "logs": _logs(settings.logs),
            "meta": _meta(settings.meta),
            "rateLimits": _rate_limits(settings.rate_limits),
            "s3": _s3(settings.s3),
            "smtp": _smtp(settings.smtp),
            "superuserIPs": _each(settings.superuser_ips, _required, _ip),
        }
    )
    if errors:
        raise InvalidSettings(errors)


def _meta(meta: Meta) -> Errors:
    short = partial(length_error, least=1, most=255)
    return drop_empty(
        {
            "appName": _first(meta.app_name, _required, short),
            "appURL": _first(meta.app_url, _required, _url),
            "accentColor": _first(meta.accent_color, _unless_blank(_seven), _unless_blank(_color)),
            "senderName": _first(meta.sender_name, _required, short),
            "senderAddress": _first(meta.sender_address, _required, _email),
        }
    )


def _logs(logs: Logs) -> Errors:
    return drop_empty({"maxDays": _at_least(0)(logs.max_days), "maxDataSize": _at_least(0)(logs.max_data_size)})


def _smtp(smtp: Smtp) -> Errors:
    required = _required_if(smtp.enabled)
    return drop_empty(
        {
            "host": _first(smtp.host, required, _unless_blank(_host)),
            "port": _first(smtp.port, required, _at_least(0)),
            "authMethod": None if smtp.auth_method in _METHODS else NOT_IN_LIST,
            "localName": _unless_blank(_host)(smtp.local_name),
        }
    )


def _s3(s3: S3) -> Errors:
    required = _required_if(s3.enabled)
    return drop_empty(
        {
            "endpoint": _first(s3.endpoint, required, _unless_blank(_url)),
            "bucket": required(s3.bucket),
            "region": required(s3.region),
            "accessKey": required(s3.access_key),
            "secret": required(s3.secret),
        }
    )


def _backups(backups: Backups) -> Errors:
    keep = _first(backups.cron_max_keep, _required_if(backups.cron != ""), _unless_blank(_at_least(1)))
    return drop_empty(
        {"cron": _unless_blank(check_cron)(backups.cron), "cronMaxKeep": keep, "s3": _s3(backups.s3)},
    )


def _batch(batch: Batch) -> Errors:
    required = _required_if(batch.enabled)
    return drop_empty(
        {
            "maxRequests": _first(batch.max_requests, required, _at_least(0)),
            "timeout": _first(batch.timeout, required, _at_least(0)),
            "maxBodySize": _at_least(0)(batch.max_body_size),
        }
    )


def _rate_limits(limits: RateLimits) -> Errors:
    rules: Any = {str(n): errors for n, rule in enumerate(limits.rules) if (errors := _rule(rule))}
    if limits.enabled and not limits.rules:
        rules = REQUIRED
    return drop_empty(
        {"rules": rules or _conflict(limits.rules), "excludedIPs": _each(limits.excluded_ips, _required, _ip)}
    )


def _rule(rule: RateLimitRule) -> Errors:
    positive = (_required, _at_least(1))
    return drop_empty(
        {
            "label": _first(rule.label, _required, _label),
            "maxRequests": _first(rule.max_requests, *positive),
            "duration": _first(rule.duration, *positive),
            "audience": None if rule.audience in _AUDIENCES else NOT_IN_LIST,
        }
    )


def _conflict(rules: Iterable[RateLimitRule]) -> Errors:
    """The first rule that says again what an earlier one said of the same audience."""
    seen: dict[str, set[str]] = {}
    for n, rule in enumerate(rules):
        others = seen.setdefault(rule.label, set())
        if rule.audience in others or "" in others or (rule.audience == "" and others):
            text = (
                f"Rate limit rule configuration with label {rule.label} already exists or conflicts with another rule."
            )
            error = FieldError("validation_conflicting_rate_limit_rule", text, {"label": rule.label})
            return {str(n): {"label": error}}
        others.add(rule.audience)
    return {}


def _first(value: Any, *checks: Check) -> FieldError | None:
    return next((error for check in checks if (error := check(value))), None)


def _each(values: Iterable[Any], *checks: Check) -> Errors:
    return {str(n): error for n, value in enumerate(values) if (error := _first(value, *checks))}


def _required(value: Any) -> FieldError | None:
    return None if value else REQUIRED


def _required_if(condition: bool) -> Check:
    return _required if condition else lambda _: None


def _unless_blank(check: Check) -> Check:
    return lambda value: check(value) if value else None


def _at_least(least: int) -> Check:
    return lambda value: too_small(least) if value < least else None


def _seven(text: str) -> FieldError | None:
    params = {"min": 7, "max": 7}
    return None if len(text) == 7 else FieldError("validation_length_invalid", "The length must be exactly 7.", params)


def _color(text: str) -> FieldError | None:
    return None if matches(_COLOR, text) else NOT_A_COLOR


def _url(text: str) -> FieldError | None:
    return None if is_url(text) or is_url(f"http://{text}") else NOT_A_URL


def _email(text: str) -> FieldError | None:
    return None if is_email(text) else NOT_AN_EMAIL


def _host(text: str) -> FieldError | None:
    return None if matches(_HOST, text) or _ip(text) is None else NOT_A_HOST


def _label(text: str) -> FieldError | None:
    return None if matches(_LABEL, text) else NOT_A_MATCH


def _ip(text: str) -> FieldError | None:
    try:
        ip_interface(text)
    except ValueError:
        return NOT_AN_IP
    return None
