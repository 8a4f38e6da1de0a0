"""The script that pages may include: `<script src="{{ undercroft_js }}" defer></script>`."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from undercroft.http.request import Request
from undercroft.http.response import Response

_CONTENT: Final = (Path(__file__).parent / "assets" / "undercroft.js").read_bytes()
_VERSION: Final = sha256(_CONTENT).hexdigest()[:12]
URL: Final = f"/_/undercroft.js?v={_VERSION}"
"""Its address, which changes with its content."""


async def script(request: Request) -> Response:
    """GET /_/undercroft.js"""
    is_exact = request.query.get("v") == _VERSION
    keep = b"public, max-age=31536000, immutable" if is_exact else b"no-cache"
    headers = [(b"content-type", b"text/javascript; charset=utf-8"), (b"cache-control", keep)]
    return Response(200, _CONTENT, headers)
