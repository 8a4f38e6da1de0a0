"""A page of the server's own that needs nothing else: nothing on it is loaded, and its address is told to nobody."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Final

from undercroft.http.response import Header, Response

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:12vh auto;padding:0 1rem;color:#1c1c1c}"
    "label{display:block;margin:1rem 0}input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.5rem;"
    "border:1px solid #999;border-radius:4px}button{font:inherit;padding:.5rem 1.25rem;border:0;border-radius:4px;"
    "background:#1055c9;color:#fff}.wrong{color:#a00}code{background:#eee;padding:.1rem .3rem}"
)
_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)


def plain_page(title: str, content: str, status: int = 200, script: str = "", *, can_ask: bool = False) -> Response:
    """A page with a heading and HTML below it; the script runs at its end, and no other does.

    With `can_ask` it may ask this server, and nobody else.
    """
    code = f"<script>{script}</script>" if script else ""
    html = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} - Undercroft</title><style>{_STYLE}</style><main><h1>{title}</h1>{content}</main>{code}</html>"
    )
    return Response(
        status, html.encode(), (*_HEADERS, (b"content-security-policy", _policy(script, can_ask=can_ask).encode()))
    )


def _policy(script: str, *, can_ask: bool) -> str:
    allowed = f"{_POLICY}; style-src {_hash(_STYLE)}" + ("; connect-src 'self'" if can_ask else "")
    return f"{allowed}; script-src {_hash(script)}" if script else allowed


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
