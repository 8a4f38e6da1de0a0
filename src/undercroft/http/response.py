"""Responses: a status, headers and bytes, sent in one message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from undercroft.http.request import Send

Header = tuple[bytes, bytes]
JSON_TYPE: Final[Header] = (b"content-type", b"application/json")
_NO_CONTENT: Final = 204
_WITHOUT_LENGTH: Final = (_NO_CONTENT, 304)
_encode = msgspec.json.Encoder().encode


class Response:
    """An answer whose body is at hand.

    `is_picked` tells that `fields` was obeyed already, so that the edge leaves the body alone.
    """

    __slots__ = ("body", "headers", "is_picked", "status")

    def __init__(self, status: int = 200, body: bytes = b"", headers: Sequence[Header] = ()) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self.is_picked = False

    async def send(self, send: Send, common: Sequence[Header], *, without_body: bool = False) -> None:
        """Send it, with headers that every response has."""
        headers = [*common, *self.headers]
        if self.status not in _WITHOUT_LENGTH:
            headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if without_body else self.body})


def json_response(value: Any, status: int = 200, headers: Sequence[Header] = ()) -> Response:
    """A response with a JSON value."""
    return Response(status, _encode(value), (JSON_TYPE, *headers))


def json_bytes(body: bytes, status: int = 200) -> Response:
    """A response whose JSON is already encoded."""
    return Response(status, body, (JSON_TYPE,))


def no_content() -> Response:
    """204: done, and nothing to say."""
    return Response(_NO_CONTENT)
