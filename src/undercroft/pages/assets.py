"""Scripts for pages: `<script src="{{ undercroft_js }}" defer></script>`, and `account_js` for pages about accounts."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from undercroft.http.request import Request
from undercroft.http.response import Response

_FOLDER: Final = Path(__file__).parent / "assets"


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    version: str

    @classmethod
    def read(cls, name: str) -> _Asset:
        content = (_FOLDER / name).read_bytes()
        return cls(content, sha256(content).hexdigest()[:12])

    def answer(self, request: Request) -> Response:
        is_exact = request.query.get("v") == self.version
        keep = b"public, max-age=31536000, immutable" if is_exact else b"no-cache"
        headers = [(b"content-type", b"text/javascript; charset=utf-8"), (b"cache-control", keep)]
        return Response(200, self.content, headers)


_SCRIPT: Final = _Asset.read("undercroft.js")
_ACCOUNT: Final = _Asset.read("account.js")
URL: Final = f"/_/undercroft.js?v={_SCRIPT.version}"
"""Its address, which changes with its content."""
ACCOUNT_URL: Final = f"/_/account.js?v={_ACCOUNT.version}"
"""The address of what passkeys and the links of letters need."""


async def script(request: Request) -> Response:
    """GET /_/undercroft.js"""
    return _SCRIPT.answer(request)


async def account_script(request: Request) -> Response:
    """GET /_/account.js"""
    return _ACCOUNT.answer(request)
