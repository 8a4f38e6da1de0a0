"""How a file is answered: its headers, conditions and ranges (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from undercroft.api.file_links import redirect_to_store
from undercroft.files.store import StoredFile
from undercroft.http.conditions import Validators, judge, may_continue
from undercroft.http.disposition import content_disposition, default_disposition, served_type
from undercroft.http.file_body import FileBody, Part, Source
from undercroft.http.file_response import FileResponse, content_of
from undercroft.http.ranges import BadRange, RangeNotThere, Span, parse_range
from undercroft.http.request import Request
from undercroft.http.response import Header
from undercroft.ids import random_text

_SANDBOX: Final[Header] = (
    b"content-security-policy",
    b"default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox",
)
_FOR_ALL: Final[Header] = (b"cache-control", b"max-age=2592000, stale-while-revalidate=86400")
_FOR_ONE: Final[Header] = (b"cache-control", b"private, no-store")
_RANGES: Final[Header] = (b"accept-ranges", b"bytes")
_TEXT: Final[Header] = (b"content-type", b"text/plain; charset=utf-8")
_ETAG: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x7e]+")


@dataclass(frozen=True, slots=True)
class Served:
    """A file, and how it is to be served; `is_public` tells that anyone's cache may keep it."""

    file: StoredFile
    name: str
    is_attached: bool
    is_public: bool


async def answer_file(request: Request, served: Served) -> FileResponse:
    """The answer to a GET or HEAD for a file. Raises what the store raises."""
    file, headers = served.file, request.header
    has = Validators(file.etag if _ETAG.fullmatch(file.etag) else "", file.modified)
    kind = served_type(file.facts.type, name_of(file))
    how = "attachment" if served.is_attached else default_disposition(kind)
    disposition = content_disposition(how, served.name)
    shown = ((b"content-disposition", disposition.encode()), _SANDBOX)
    known = (*shown, *_validators(has), _FOR_ALL if served.is_public else _FOR_ONE)
    verdict = judge(headers, has)
    if verdict != "go on":
        return FileResponse(304 if verdict == "not modified" else 412, known)
    if request.method == "GET" and served.is_public:
        elsewhere = redirect_to_store(request.backend.files, file, kind, disposition)
        if elsewhere is not None:
            return elsewhere
    return await send_file(request, Sending(request.backend.files, file, kind, shown, known), has)


@dataclass(frozen=True, slots=True)
class Sending:
    """A file that is sent: as which media type, with which headers, and with which of them when it is not."""

    store: Source
    file: StoredFile
    kind: str
    headers_without: Sequence[Header]
    headers: Sequence[Header]


async def send_file(request: Request, sending: Sending, has: Validators) -> FileResponse:
    """A file, or those parts of it that are asked for. Raises what the store raises."""
    asked, size = request.header(b"range"), sending.file.size
    try:
        spans = parse_range(asked.decode("latin-1"), size) if asked and may_continue(request.header, has) else ()
    except BadRange as problem:
        return _not_satisfiable(problem, size, sending.headers_without)
    answer = _Answer(sending.store, sending.file, sending.kind, (*sending.headers, _RANGES), spans)
    return await _answer(request, answer)


def name_of(file: StoredFile) -> str:
    """The name that a file is kept under."""
    return file.key.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is sent of a file; all of it without spans."""

    store: Source
    file: StoredFile
    kind: str
    headers: Sequence[Header]
    spans: Sequence[Span]


async def _answer(request: Request, answer: _Answer) -> FileResponse:
    file, kind, spans = answer.file, answer.kind, answer.spans
    store, status = answer.store, 206 if spans else 200
    headers: list[Header] = []
    if len(spans) > 1:
        boundary = random_text(32)
        body = FileBody(store, file, _parts(answer, boundary), f"\r\n--{boundary}--\r\n".encode())
        kind = f"multipart/byteranges; boundary={boundary}"
    else:
        span = spans[0] if spans else Span(0, file.size)
        body = FileBody(store, file, [Part(span)])
        headers += [(b"content-range", span.told(file.size).encode())] if spans else []
    content = content_of(request, body)
    if request.method != "HEAD":
        await content.begin()
    return FileResponse(status, [(b"content-type", kind.encode()), *headers, *answer.headers], content=content)


def _parts(answer: _Answer, boundary: str) -> Sequence[Part]:
    """Several spans, each after a head of its own (RFC 9110, 14.6)."""
    parts: list[Part] = []
    for span in answer.spans:
        start = f"\r\n--{boundary}" if parts else f"--{boundary}"
        head = f"content-type: {answer.kind}\r\ncontent-range: {span.told(answer.file.size)}"
        parts.append(Part(span, f"{start}\r\n{head}\r\n\r\n".encode()))
    return parts


def _validators(has: Validators) -> Sequence[Header]:
    told: list[Header] = [(b"last-modified", has.last_modified.encode())]
    return [*told, (b"etag", has.quoted.encode())] if has.etag else told


def _not_satisfiable(problem: BadRange, size: int, shown: Sequence[Header]) -> FileResponse:
    """416: with the size of the file, if the ranges made sense."""
    if isinstance(problem, RangeNotThere):
        text, where = b"invalid range: failed to overlap\n", [(b"content-range", b"bytes */%d" % size)]
    else:
        text, where = b"invalid range\n", []
    return FileResponse(416, [_TEXT, *where, *shown], text)
