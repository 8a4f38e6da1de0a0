"""Cookies: one read from a request, one set by an answer (RFC 6265)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

LONGEST: Final = 8192  # bytes of one Cookie header; longer ones are not read


def find_cookie(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """The value of the first cookie of that name, or empty text."""
    wanted = name + b"="
    for key, value in headers:
        if key == b"cookie" and len(value) <= LONGEST and wanted in value:
            for part in value.split(b";"):
                stripped = part.strip()
                if stripped.startswith(wanted):
                    return stripped[len(wanted) :].decode("latin-1")
    return ""


def cookie_header(name: bytes, value: str, seconds: int, *, is_secure: bool) -> tuple[bytes, bytes]:
    """A header that sets a cookie for `seconds`, or ends it with 0; scripts and other sites do not get it."""
    parts = [name + b"=" + value.encode(), b"Path=/", b"Max-Age=%d" % seconds, b"HttpOnly", b"SameSite=Lax"]
    return b"set-cookie", b"; ".join([*parts, b"Secure"] if is_secure else parts)
