"""GET and POST /api/oauth2-redirect: where a provider sends the window back to in which somebody logged in there.

The page that opened the window listens on a connection for live updates, whose id it put into the
request as `state`. It is told the code there, once, and only if the window is at the same address; then
it closes the window. Nothing of the request decides where the window is sent next.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import Any, Final

import msgspec

from undercroft.errors import Problem
from undercroft.http.request import Request
from undercroft.http.response import Header, Response

TOPIC: Final = "@oauth2"
_DONE, _FAILED = b"../_/#/auth/oauth2-redirect-success", b"../_/#/auth/oauth2-redirect-failure"
_LIMIT: Final = 64 * 1024
_LONGEST: Final = 8192
_LONGEST_NAME: Final = 150
_MARK: Final = "#name="
_PRIVATE: Final[tuple[Header, ...]] = ((b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer"))


class Return(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a provider sends along; `user` is what Apple adds the first time."""

    state: str = ""
    code: str = ""
    error: str = ""
    user: str = ""


async def come_back(request: Request) -> Response:
    """Tell the page that waits, and send the window to a page that says it can be closed."""
    if request.method == "HEAD":
        return _send_to(request, _FAILED)
    try:
        told = await _read(request)
        is_told = bool(told.state) and len(told.state) <= _LONGEST and await _tell(request, told)
    except Problem:
        return _send_to(request, _FAILED)
    return _send_to(request, _DONE if is_told and told.code and not told.error else _FAILED)


def part_name(code: str) -> tuple[str, str]:
    """A code as the provider made it, and the name that came along with it."""
    plain, mark, name = code.partition(_MARK)
    try:
        return plain, urlsafe_b64decode(name.encode()).decode() if mark else ""
    except (NotBase64, ValueError):
        return plain, ""


async def _read(request: Request) -> Return:
    if request.method == "GET":
        query = request.query
        return Return(query.get("state", ""), query.get("code", ""), query.get("error", ""))
    body = await request.body(_LIMIT)
    texts = {name: values[0] for name, values in body.texts.items()} if body.texts is not None else body.data
    return Return(*(_text(texts.get(name)) for name in ("state", "code", "error", "user")))


async def _tell(request: Request, told: Return) -> bool:
    """Whether the page was there and has been told."""
    if len(told.code) > _LONGEST:
        return False
    code = _with_name(told.code, _full_name(told.user)) if told.code and not told.error else told.code
    data: dict[str, Any] = {"state": told.state, "code": code}
    if told.error:
        data["error"] = told.error[:_LONGEST]
    live, address = request.backend.live, request.client_ip
    return await live.say(told.state, TOPIC, msgspec.json.encode(data), only_at=address, is_last=True)


def _with_name(code: str, name: str) -> str:
    """A code that brings a name along: it is told to us here, and to nobody else, and wanted when the code comes."""
    return f"{code}{_MARK}{urlsafe_b64encode(name.encode()).decode()}" if name else code


def _full_name(user: str) -> str:
    """The name in what Apple sends along."""
    try:
        told = msgspec.json.decode(user) if user else {}
    except (msgspec.DecodeError, RecursionError):
        return ""
    name = told.get("name") if isinstance(told, dict) else None
    parts = [_text(name.get(part)) for part in ("firstName", "lastName")] if isinstance(name, dict) else []
    return " ".join(parts).strip()[:_LONGEST_NAME]


def _send_to(request: Request, page: bytes) -> Response:
    status = 307 if request.method == "GET" else 303
    return Response(status, b"", [(b"location", page), *_PRIVATE])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
