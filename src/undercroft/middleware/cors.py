"""Who may call from a browser page of another origin."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from undercroft.http.request import Request
from undercroft.http.response import Header, Response
from undercroft.middleware.security_headers import SECURITY_HEADERS

_METHODS: Final[Header] = (b"access-control-allow-methods", b"GET,HEAD,PUT,PATCH,POST,DELETE")
_PREFLIGHT_VARY: Final[Header] = (
    b"vary",
    b"Access-Control-Request-Method, Access-Control-Request-Headers",
)
_ANYONE: Final[Header] = (b"access-control-allow-origin", b"*")
_LONGEST_ECHO: Final = 4096


class Cors:
    """The origins that may read answers: `*`, exact ones, or patterns such as `https://*.example.com`.

    Answers never allow credentials, so `*` opens nothing that a token does not.
    """

    def __init__(self, origins: Sequence[str] = ("*",)) -> None:
        self._origins = tuple(origins)
        self._is_open = "*" in self._origins
        self._open = (*SECURITY_HEADERS, _ANYONE)

    def headers(self, request: Request) -> Sequence[Header]:
        """The common headers of an answer to this request."""
        origin = request.header(b"origin")
        if origin is None:
            return SECURITY_HEADERS
        if self._is_open:
            return self._open
        if self._allows(origin.decode("latin-1")):
            return (*SECURITY_HEADERS, (b"access-control-allow-origin", origin))
        return SECURITY_HEADERS

    def preflight(self, request: Request) -> Response:
        """The answer to OPTIONS: what may be asked from elsewhere."""
        headers = [_PREFLIGHT_VARY, _METHODS]
        asked = request.header(b"access-control-request-headers")
        if asked and len(asked) <= _LONGEST_ECHO:
            headers.append((b"access-control-allow-headers", asked))
        return Response(204, b"", headers)

    def _allows(self, origin: str) -> bool:
        return any(origin == known or ("*" in known and fnmatchcase(origin, known)) for known in self._origins)
