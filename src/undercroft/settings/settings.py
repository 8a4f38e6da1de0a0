"""What an operator can set while the backend runs, as one frozen value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import msgspec

Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A group of settings."""


class Meta(_Part, frozen=True):
    """How the application calls itself."""

    accent_color: str = "#1055c9"
    app_name: str = "Acme"
    app_url: str = msgspec.field(default="http://localhost:8090", name="appURL")
    hide_controls: bool = False
    sender_address: str = "support@example.com"
    sender_name: str = "Support"


class Logs(_Part, frozen=True):
    """What is logged, and for how many days; 0 is not at all."""

    log_auth_id: bool = False
    log_ip: bool = msgspec.field(default=True, name="logIP")
    max_data_size: Integer = 0
    max_days: Integer = 5
    min_level: Integer = 0


class Smtp(_Part, frozen=True):
    """The mail server; off means the local sendmail."""

    auth_method: str = ""
    enabled: bool = False
    host: str = "smtp.example.com"
    local_name: str = ""
    password: str = ""
    port: Integer = 587
    tls: bool = False
    username: str = ""


class S3(_Part, frozen=True):
    """A bucket for files or backups."""

    access_key: str = ""
    bucket: str = ""
    enabled: bool = False
    endpoint: str = ""
    force_path_style: bool = False
    region: str = ""
    secret: str = ""


class Backups(_Part, frozen=True):
    """When backups are made, how many are kept, and where."""

    cron: str = ""
    cron_max_keep: Integer = 3
    s3: S3 = S3()


class Batch(_Part, frozen=True):
    """Whether several writes may come in one request; `timeout` in seconds, sizes in bytes."""

    enabled: bool = False
    max_body_size: Integer = 0
    max_requests: Integer = 50
    timeout: Integer = 3


class RateLimitRule(_Part, frozen=True):
    """How often something may be asked for; `duration` in seconds."""

    audience: str = ""
    duration: Integer = 0
    label: str = ""
    max_requests: Integer = 0


class RateLimits(_Part, frozen=True):
    """Limits by what is asked and who asks."""

    enabled: bool = True
    excluded_ips: tuple[str, ...] = msgspec.field(default=(), name="excludedIPs")
    rules: tuple[RateLimitRule, ...] = (
        RateLimitRule(label="*:auth", max_requests=2, duration=3),
        RateLimitRule(label="*:create", max_requests=20, duration=5),
        RateLimitRule(label="/api/batch", max_requests=3, duration=1),
        RateLimitRule(label="/api/", max_requests=300, duration=10),
    )


class TrustedProxy(_Part, frozen=True):
    """Which headers are believed about the caller's address."""

    headers: tuple[str, ...] = ()
    use_leftmost_ip: bool = msgspec.field(default=False, name="useLeftmostIP")


class Settings(_Part, frozen=True):
    """Everything an operator can set."""

    backups: Backups = Backups()
    batch: Batch = Batch()
    logs: Logs = Logs()
    meta: Meta = Meta()
    rate_limits: RateLimits = RateLimits()
    s3: S3 = S3()
    smtp: Smtp = Smtp()
    superuser_ips: tuple[str, ...] = msgspec.field(default=(), name="superuserIPs")
    trusted_proxy: TrustedProxy = TrustedProxy()


SECRETS: Final[tuple[tuple[str, ...], ...]] = (("smtp", "password"), ("s3", "secret"), ("backups", "s3", "secret"))


class SettingsHolder:
    """Where the current settings are kept, so that they can be swapped whole."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._current = settings or Settings()
        self.on_swap: Callable[[], None] | None = None

    @property
    def current(self) -> Settings:
        """The settings that count now; when others take their place, `on_swap` is called."""
        return self._current

    @current.setter
    def current(self, settings: Settings) -> None:
        self._current = settings
        if self.on_swap is not None:
            self.on_swap()


def public(settings: Settings) -> dict[str, object]:
    """The settings as an answer shows them: without their secrets."""
    shown: dict[str, object] = msgspec.to_builtins(settings)
    for *path, name in SECRETS:
        part: object = shown
        for key in path:
            part = part[key] if isinstance(part, dict) else {}
        if isinstance(part, dict):
            part.pop(name, None)
    return shown
