"""Request bodies: bytes in, an object and files out."""

from __future__ import annotations

from asyncio import timeout, to_thread
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from undercroft.errors import BadRequest, TooLarge
from undercroft.http.form_data import Form, read_multipart, read_urlencoded
from undercroft.http.json_text import BadBody, parse_object
from undercroft.http.upload import Upload

if TYPE_CHECKING:
    from undercroft.http.request import Request

MIB: Final = 1024 * 1024
DEFAULT_LIMIT: Final = 32 * MIB
READ_SECONDS: Final = 300
HEAVY: Final = MIB  # bodies from here on are read beside the event loop


class BodyTooSlow(BadRequest):
    """The body did not arrive within five minutes."""

    code = "body_too_slow"
    default = "The request body took too long to arrive."


class UnsupportedContentType(BadRequest):
    """The body is of a type that nobody reads."""

    code = "unsupported_content_type"
    default = "Unsupported Content-Type."


@dataclass(frozen=True, slots=True)
class Body:
    """What a request submitted.

    `data` is the JSON object, or the inferred values of a form. `texts` are a
    form's values as they came, `None` when the body was JSON.
    """

    data: dict[str, Any] = field(default_factory=dict)
    files: Mapping[str, list[Upload]] = field(default_factory=dict)
    texts: Mapping[str, list[str]] | None = None

    def close(self) -> None:
        """Let go of the uploaded files."""
        for uploads in self.files.values():
            for upload in uploads:
                upload.file.close()


async def read_body(request: Request, limit: int) -> Body:
    """The body of a request, at most `limit` bytes; an empty one is an empty object.

    Raises `TooLarge`, `BodyTooSlow`, `BadBody` and `UnsupportedContentType`.
    """
    if not _may_have_body(request, limit):
        return Body()
    try:
        async with timeout(READ_SECONDS):
            return await _read(request, limit)
    except TimeoutError:
        raise BodyTooSlow from None


async def _read(request: Request, limit: int) -> Body:
    kind = request.header(b"content-type") or b""
    name = kind[:33].lower()
    if name.startswith(b"multipart/form-data"):
        chunks = _chunks(request, limit)
        first = await anext(chunks, b"")
        return _from_form(await read_multipart(kind, first, chunks)) if first else Body()
    whole = await _whole(request, limit)
    if not whole:
        return Body()
    if name.startswith(b"application/json"):
        return Body(parse_object(whole) if len(whole) < HEAVY else await to_thread(parse_object, whole))
    if name.startswith(b"application/x-www-form-urlencoded"):
        return _from_form(read_urlencoded(whole))
    raise UnsupportedContentType


async def _whole(request: Request, limit: int) -> bytes:
    """All of the body; most bodies come in one piece."""
    chunk, more = await _receive(request)
    if not more and len(chunk) <= limit:
        return chunk
    chunks, size = [chunk], len(chunk)
    while more and size <= limit:
        chunk, more = await _receive(request)
        chunks.append(chunk)
        size += len(chunk)
    if size > limit:
        raise TooLarge
    return b"".join(chunks)


async def _receive(request: Request) -> tuple[bytes, bool]:
    """The next piece of the body, and whether more will come."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise BadBody
    return message.get("body", b""), message.get("more_body", False)


def _may_have_body(request: Request, limit: int) -> bool:
    """Whether there is anything to read; refuses what is announced as too large."""
    length = request.header(b"content-length")
    if length is None:
        is_framed = request.asgi.get("http_version", "1.1")[:1] == "1"
        return not is_framed or request.header(b"transfer-encoding") is not None
    if not length.isdigit():
        raise BadBody
    if len(length) > 18 or int(length) > limit:
        raise TooLarge
    return int(length) > 0


async def _chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The non-empty chunks of the body."""
    size, more = 0, True
    while more:
        chunk, more = await _receive(request)
        size += len(chunk)
        if size > limit:
            raise TooLarge
        if chunk:
            yield chunk


def _from_form(form: Form) -> Body:
    return Body(form.data, form.files, form.texts)
