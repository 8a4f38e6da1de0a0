"""Request bodies: bytes in, an object and files out.

A body has five minutes to arrive, and more when it is large: as long as it comes no
slower than a poor telephone line brings it, it is waited for.
"""

from __future__ import annotations

from asyncio import Timeout, timeout, to_thread
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from undercroft.errors import BadRequest, TooLarge
from undercroft.http.form_data import Form, read_multipart, read_urlencoded
from undercroft.http.json_text import BadBody, parse_object
from undercroft.http.upload import Intake, NoIntake, Upload

if TYPE_CHECKING:
    from undercroft.http.request import Request

MIB: Final = 1024 * 1024
DEFAULT_LIMIT: Final = 32 * MIB
READ_SECONDS: Final = 300
SLOWEST: Final = 16 * 1024  # bytes a second, of what is larger than that brings in five minutes
HEAVY: Final = MIB  # bodies from here on are read beside the event loop


class BodyTooSlow(BadRequest):
    """The body did not arrive within five minutes, or came too slowly after them."""

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

    @property
    def uploads(self) -> list[Upload]:
        """All files, whatever their names."""
        return [upload for uploads in self.files.values() for upload in uploads]


async def read_body(request: Request, limit: int, intake: Intake | None = None) -> Body:
    """The body of a request, at most `limit` bytes; an empty one is an empty object.

    Files go to the intake, and are the caller's to discard; without one they are skipped.
    Raises `TooLarge`, `BodyTooSlow`, `BadBody`, `UnsupportedContentType`, and what the
    intake's sinks raise.
    """
    if not _may_have_body(request, limit):
        return Body()
    try:
        async with timeout(READ_SECONDS) as clock:
            return await _read(request, limit, intake or NoIntake(), clock)
    except TimeoutError:
        raise BodyTooSlow from None


async def read_bytes(request: Request, limit: int) -> bytes:
    """The body of a request as it came, at most `limit` bytes. Raises `TooLarge`, `BodyTooSlow` and `BadBody`."""
    if not _may_have_body(request, limit):
        return b""
    try:
        async with timeout(READ_SECONDS):
            return await _whole(request, limit)
    except TimeoutError:
        raise BodyTooSlow from None


def is_form_with_files(request: Request) -> bool:
    """Whether the body is of the kind that may be far larger than memory."""
    return (request.header(b"content-type") or b"")[:19].lower() == b"multipart/form-data"


async def _read(request: Request, limit: int, intake: Intake, clock: Timeout) -> Body:
    if is_form_with_files(request):
        return await _read_form(request, _chunks(request, limit, clock), intake)
    whole = await _whole(request, limit)
    if not whole:
        return Body()
    name = (request.header(b"content-type") or b"")[:33].lower()
    if name.startswith(b"application/json"):
        return Body(parse_object(whole) if len(whole) < HEAVY else await to_thread(parse_object, whole))
    if name.startswith(b"application/x-www-form-urlencoded"):
        return _from_form(read_urlencoded(whole))
    raise UnsupportedContentType


async def _read_form(request: Request, chunks: AsyncIterator[bytes], intake: Intake) -> Body:
    kind = request.header(b"content-type") or b""
    first = await anext(chunks, b"")
    if not first:
        return Body()
    form = await read_multipart(kind, _chain(first, chunks), intake)
    try:
        return _from_form(form)
    except BaseException:
        await intake.discard(upload for uploads in form.files.values() for upload in uploads)
        raise


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


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
    message = await request.hear()
    if message["type"] == "http.disconnect":
        raise BadBody
    more: bool = message.get("more_body", False)
    request.is_read = not more
    return message.get("body", b""), more


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


async def _chunks(request: Request, limit: int, clock: Timeout) -> AsyncIterator[bytes]:
    """The non-empty chunks of the body; the more of them have come, the more time is left for the others."""
    size, more, deadline = 0, True, clock.when() or 0.0
    while more:
        chunk, more = await _receive(request)
        size += len(chunk)
        if size > limit:
            raise TooLarge
        if chunk:
            clock.reschedule(deadline + size / SLOWEST)
            yield chunk


def _from_form(form: Form) -> Body:
    return Body(form.data, form.files, form.texts)
