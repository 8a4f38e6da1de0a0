"""A bucket and how to reach it, as `s3://BUCKET/PREFIX?endpoint=URL` says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from undercroft.config import BadConfig
from undercroft.errors import did_you_mean

SCHEME: Final = "s3://"
LONGEST_LINK: Final = 60
_REGION: Final = "us-east-1"
_OPTIONS: Final = ("endpoint", "region", "path_style", "timeout", "signed_url")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
_FLAGS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class BadBucket(BadConfig):
    """A bucket is named in a way that cannot be."""

    code = "bad_bucket"


@dataclass(frozen=True, slots=True)
class Keys:
    """What a server of buckets knows us by; never shown."""

    access_key: str = field(repr=False)
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket. `prefix` is empty or ends in `/`; times are in seconds.

    `endpoint` has a scheme and no path. Where a public file is large, its reader can be sent to
    the bucket itself with an address that is good for `link_seconds`; 0 is never.
    """

    name: str
    keys: Keys
    endpoint: str
    region: str = _REGION
    prefix: str = ""
    is_path_style: bool = True
    timeout: float = 10.0
    link_seconds: int = 0

    @property
    def url(self) -> str:
        """What people call it."""
        return f"{SCHEME}{self.name}/{self.prefix}".rstrip("/")

    @property
    def identity(self) -> tuple[str, ...]:
        """Equal for two ways to name one place."""
        return self.root.lower(), self.name, self.prefix

    @property
    def root(self) -> str:
        """The URL of the server: with the name of the bucket as a part of the host's, unless that comes in the path."""
        scheme, _, host = self.endpoint.partition("://")
        return self.endpoint if self.is_path_style else f"{scheme}://{self.name}.{host}"

    @property
    def path(self) -> str:
        """The path of the bucket below the server's URL, with a `/` at its end."""
        return f"/{self.name}/" if self.is_path_style else "/"


def parse_bucket(url: str, environment: Mapping[str, str]) -> Bucket:
    """The bucket of a URL, with the keys of the environment. Raises `BadBucket`."""
    parts = urlsplit(url)
    if parts.scheme != "s3" or "@" in parts.netloc or parts.fragment:
        raise BadBucket("Write s3://BUCKET/PREFIX?endpoint=URL, without keys: those come from the environment.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := [name for name in options if name not in _OPTIONS]:
        hint = did_you_mean(unknown[0], _OPTIONS) or f" Options are: {', '.join(_OPTIONS)}."
        raise BadBucket(f"{unknown[0]!r} is no option of a bucket.{hint}")
    prefix = parts.path.strip("/")
    bucket = make_bucket(
        parts.netloc,
        find_keys(environment),
        endpoint=options.get("endpoint", ""),
        region=options.get("region", ""),
        is_path_style=_flag(options["path_style"]) if "path_style" in options else "endpoint" in options,
    )
    return replace(
        bucket,
        prefix=_checked_prefix(f"{prefix}/" if prefix else ""),
        timeout=_seconds("timeout", options.get("timeout", "10"), 0.1, 600),
        link_seconds=int(_seconds("signed_url", options.get("signed_url", "0"), 0, LONGEST_LINK)),
    )


def make_bucket(name: str, keys: Keys, *, endpoint: str, region: str, is_path_style: bool) -> Bucket:
    """A bucket of that name; without an endpoint it is Amazon's. Raises `BadBucket`."""
    if not _NAME.fullmatch(name):
        raise BadBucket(f"{name[:80]!r} is no name of a bucket: it has 3 to 63 small letters, digits, dots and dashes.")
    region = region or _REGION
    if not re.fullmatch(r"[a-zA-Z0-9-]{1,40}", region):
        raise BadBucket(f"{region[:80]!r} is no region.")
    return Bucket(
        name, keys, _endpoint(endpoint or f"https://s3.{region}.amazonaws.com"), region, is_path_style=is_path_style
    )


def find_keys(environment: Mapping[str, str]) -> Keys:
    """The keys in the environment: ours, or those that Amazon's tools read. Raises `BadBucket`."""
    if secret := environment.get("UNDERCROFT_S3_SECRET", ""):
        return Keys(environment.get("UNDERCROFT_S3_ACCESS_KEY", ""), secret)
    if secret := environment.get("AWS_SECRET_ACCESS_KEY", ""):
        return Keys(environment.get("AWS_ACCESS_KEY_ID", ""), secret, environment.get("AWS_SESSION_TOKEN", ""))
    raise BadBucket("A bucket needs its keys: set UNDERCROFT_S3_ACCESS_KEY and UNDERCROFT_S3_SECRET.")


def _endpoint(text: str) -> str:
    """The URL of a server; without a scheme it is https."""
    parts = urlsplit(text if "://" in text else f"https://{text}")
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = "?"
    host = parts.netloc.removesuffix(port)
    is_plain = parts.path in ("", "/") and not parts.query and not parts.fragment
    if parts.scheme not in ("http", "https") or port == "?" or not _HOST.fullmatch(host) or not is_plain:
        raise BadBucket("The endpoint of a bucket is the URL of a server, such as https://s3.example.com.")
    return f"{parts.scheme}://{host}{port}"


def _checked_prefix(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise BadBucket(f"{prefix[:80]!r} is no prefix: it has letters, digits, dots and dashes between slashes.")
    return prefix


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise BadBucket(f"{text[:80]!r} is neither true nor false.")
    return _FLAGS[text.lower()]


def _seconds(name: str, text: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        raise BadBucket(f"{name}={text[:80]!r} is no number of seconds from {least} to {most}.")
    return number
