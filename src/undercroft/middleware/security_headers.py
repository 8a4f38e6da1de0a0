"""Headers that every response carries, ready to send."""

from __future__ import annotations

from typing import Final

from undercroft.http.response import Header

SECURITY_HEADERS: Final[tuple[Header, ...]] = (
    (b"vary", b"Origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"x-xss-protection", b"1; mode=block"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
