"""Headers that keep browsers on the safe side: those of every response, and those of pages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from undercroft.http.response import Header

SECURITY_HEADERS: Final[tuple[Header, ...]] = (
    (b"vary", b"Origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"x-xss-protection", b"1; mode=block"),
    (b"cross-origin-opener-policy", b"same-origin"),
)

POLICY: Final = "content-security-policy"
PAGE_HEADERS: Final[Mapping[str, str]] = {
    POLICY: (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_WITH_NONCE: Final = ("script-src", "style-src")


def page_headers(chosen: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of a site's pages: the usual ones, or what the site chose in their place; empty ones are left out."""
    merged = {**PAGE_HEADERS, **{name.lower(): value for name, value in chosen.items()}}
    return {name: value for name, value in merged.items() if value}


def allow_nonce(policy: str, nonce: str) -> str:
    """A content security policy that also allows scripts and styles with this nonce."""
    return "; ".join(
        f"{directive} 'nonce-{nonce}'" if directive.partition(" ")[0] in _WITH_NONCE else directive
        for directive in _directives(policy)
    )


@lru_cache(maxsize=100)
def _directives(policy: str) -> tuple[str, ...]:
    """The parts of a policy; those that a nonce goes into are there, as they would be without."""
    parts = [part.strip() for part in policy.split(";") if part.strip()]
    named = {part.partition(" ")[0]: part.partition(" ")[2] for part in parts}
    added = [name for name in _WITH_NONCE if name not in named and "default-src" in named]
    return (*parts, *(f"{name} {named['default-src']}" for name in added))
