"""Pages for who develops, on the machine itself: what all of them have, and who may see them.

They hold secrets, so they exist only under --dev, and only for who sits at the machine: by
address, by the name in the browser's bar, and through no proxy.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from undercroft.errors import NotFound
from undercroft.http.request import Request
from undercroft.http.response import Header, Response

_FORWARDED: Final = ("x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip", "cf-connecting-ip", "via")
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c;"
    "background:#fff}a{color:#1055c9}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem "
    ".8rem .4rem 0;border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:anywhere}iframe{width:100%;"
    "height:32rem;border:1px solid #ccc;border-radius:6px;background:#fff}pre{white-space:pre-wrap;background:#f4f4f4;"
    "padding:1rem;border-radius:6px;overflow-wrap:anywhere}time{white-space:nowrap;color:#555}"
    "@media(prefers-color-scheme:dark){body{background:#161616;color:#eee}a{color:#8ab4ff}pre{background:#242424}"
    "td,th{border-color:#333}time{color:#aaa}}"
)
_CSP: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; frame-src 'self'; "
    f"style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
)
_LETTER_CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
COMMON: Final[tuple[Header, ...]] = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class NotUnderDevelopment(NotFound):
    """The pages for development are shown under --dev only, on the machine itself and through no proxy."""

    code = "not_under_development"
    default = "File not found."


def check_developer(request: Request) -> None:
    """Raise `NotUnderDevelopment` unless the request is made by who develops, on the machine itself."""
    peer = request.asgi.get("client")
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    is_forwarded = any(name in request.headers for name in _FORWARDED)
    is_here = _is_loopback(peer[0] if peer else "") and (_is_loopback(host) or host == "localhost")
    if not request.backend.dev_url or is_forwarded or not is_here:
        raise NotUnderDevelopment


def dev_page(title: str, content: str, more: str = "") -> Response:
    """A page of ours; `more` is for its head."""
    return _html(
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{more}'
        f"<title>{escape(title)} - Undercroft</title><style>{_STYLE}</style>"
        f"<main><h1>{escape(title)}</h1>{content}</main></html>",
        _CSP,
    )


def letter_parts(html_at: str, text: str) -> str:
    """Both parts of a letter, for a page: the HTML, if there is an address of it, in a frame, and the text."""
    cage = "allow-popups allow-popups-to-escape-sandbox"
    framed = f'<h2>HTML</h2><iframe sandbox="{cage}" src="{html_at}"></iframe>' if html_at else ""
    return f"{framed}<h2>Text</h2><pre>{escape(text)}</pre>"


def letter_html(content: str) -> Response:
    """The HTML of a letter, for a frame in which nothing runs and nothing is loaded."""
    # Links open beside the frame, for inside of it nothing may be loaded.
    content = re.sub(r"<head[^>]*>", r'\g<0><base target="_blank">', content, count=1, flags=re.IGNORECASE)
    return _html(content, _LETTER_CSP)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _html(content: str, policy: str) -> Response:
    headers = ((b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", policy.encode()))
    return Response(200, content.encode("utf-8", "replace"), (*COMMON, *headers))
