"""Idempotency-Key: a write that is asked for again is not done again, and answered as before.

draft-ietf-httpapi-idempotency-key-header. Only what was done is remembered: a write that was
refused left nothing behind, and is judged anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final

import msgspec

from undercroft.api.upload_references import let_go
from undercroft.errors import BadRequest, Problem
from undercroft.http.body import Body
from undercroft.http.request import Request
from undercroft.http.response import JSON_TYPE, Header, Response
from undercroft.records import host
from undercroft.records.access import Access
from undercroft.records.answered import Answer, AnsweredBefore, KeyReused, Mark, find_answer
from undercroft.records.enrich import render_json

KEY: Final = b"idempotency-key"
LONGEST: Final = 255
_AGAIN: Final[Header] = (b"idempotency-replayed", b"true")
Work = Callable[[Mark | None], Awaitable[Response]]
_encode = msgspec.json.Encoder(order="deterministic").encode


class BadIdempotencyKey(BadRequest):
    """The Idempotency-Key is empty, too long, or not plain text."""

    code = "bad_idempotency_key"
    default = f"The header Idempotency-Key must have 1 to {LONGEST} visible ASCII characters, such as a UUID."


async def answer_once(request: Request, body: Body, work: Work) -> Response:
    """The answer of `work`, or the one that was given when the same was asked before.

    `work` gets the mark under which it must keep its answer, None where no key was sent.
    Raises `BadIdempotencyKey`, `KeyReused`, and what `work` raises.
    """
    if request.header(KEY) is None:
        return await work(None)
    try:
        return await _answer(request, read_mark(request, body), work)
    finally:
        await let_go(request, body.uploads)


async def _answer(request: Request, mark: Mark, work: Work) -> Response:
    engine = request.backend.engine
    before = await find_answer(engine.read, engine.dialect, mark, engine.texts)
    if before is not None:
        return await _again(request, before)
    try:
        return await work(mark)
    except AnsweredBefore as known:
        return await _again(request, known.answer)
    except KeyReused:
        raise
    except Problem:
        # The same write may have come first by another way, and made this one impossible.
        before = await find_answer(engine.read, engine.dialect, mark, engine.texts)
        if before is None:
            raise
        return await _again(request, before)


def read_mark(request: Request, body: Body) -> Mark:
    """What a request with a key is known by. Raises `BadIdempotencyKey`."""
    key = request.header(KEY) or b""
    if not 0 < len(key) <= LONGEST or not all(0x20 < byte < 0x7F for byte in key):
        raise BadIdempotencyKey
    identity = request.identity
    owner = f"{identity.collection.id}/{identity.id}" if identity else ""
    if identity is not None and identity.grant is not None:
        owner = f"{owner} {' '.join(sorted(identity.grant.scopes))}"  # what one key was told is not for a narrower one
    return Mark(_digest(owner.encode(), key), _fingerprint(request, body))


def _fingerprint(request: Request, body: Body) -> str:
    """Stands for all that was asked. Forms differ from one sending to the next; what is in them does not."""
    files = [
        (name, each.filename, each.size, each.md5) for name, uploads in sorted(body.files.items()) for each in uploads
    ]
    asked = f"{request.method} {request.path}".encode(errors="surrogatepass"), request.asgi["query_string"]
    return _digest(*asked, _encode(body.data), _encode(files))


def _digest(*parts: bytes) -> str:
    whole = sha256()
    for part in parts:
        whole.update(b"%d:%b" % (len(part), part))
    return whole.hexdigest()


async def _again(request: Request, answer: Answer) -> Response:
    if not answer.body:
        return Response(answer.number, b"", (_AGAIN,))
    backend = request.backend
    access = Access.of(backend, request.rule_scope())
    shown = await render_json(host.Work(backend, request), access, answer.body.encode())
    return Response(answer.number, shown, (JSON_TYPE, _AGAIN))
