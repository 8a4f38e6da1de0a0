"""Responses with a file: from the disk by the server itself where it can, else in pieces as the client takes them.

Whatever the size of a file, a response holds a few small pieces of it, and no thread
while its client does not read. When the client is gone nothing more is read. When the
file ends before its length, the connection is cut: the client can tell, and no byte
is ever made up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final, Protocol

from undercroft.errors import Problem
from undercroft.http.file_body import FileBody, FileCut
from undercroft.http.request import Message, Receive, Request, Send
from undercroft.http.response import Header, Response

_FRAMES: Final = b"x-frame-options"
_PATHSEND: Final = "http.response.pathsend"
_log = logging.getLogger("undercroft")


class Content(Protocol):
    """What follows the headers."""

    @property
    def length(self) -> int:
        """Bytes that will be sent."""

    async def begin(self) -> None:
        """Make sure that there is something to send. Raises what the store of files raises."""

    async def send(self, send: Send) -> None:
        """Send all of it. Raises `FileCut` when that cannot be done to the end."""


class FileResponse(Response):
    """An answer about a file. It may stand in a frame, since nothing in it runs."""

    __slots__ = ("content",)

    def __init__(
        self, status: int, headers: Sequence[Header], body: bytes = b"", content: Content | None = None
    ) -> None:
        super().__init__(status, body, headers)
        self.content = content
        self.is_picked = True

    async def send(self, send: Send, common: Sequence[Header], *, without_body: bool = False) -> None:
        """Send the headers, then the content if there is one."""
        common = [header for header in common if header[0] != _FRAMES]
        if self.content is None:
            await super().send(send, common, without_body=without_body)
            return
        headers = [*common, *self.headers, (b"content-length", b"%d" % self.content.length)]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if without_body:
            await send({"type": "http.response.body"})
        else:
            await self.content.send(send)


def content_of(request: Request, body: FileBody) -> Content:
    """How a body gets to the client of a request: a whole file on disk by the server itself, if it can do that."""
    path = body.store.path(body.file) if body.is_whole else None
    if path is not None and _PATHSEND in request.asgi.get("extensions", ()):
        return _OnDisk(path, body.length)
    return _Stream(body, request.receive)


class _OnDisk:
    """A file that the server sends from where it lies."""

    def __init__(self, path: Path, length: int) -> None:
        self.length = length
        self._path = path

    async def begin(self) -> None:
        """It was there a moment ago; should it be gone, the server tells."""

    async def send(self, send: Send) -> None:
        await send({"type": _PATHSEND, "path": str(self._path)})


class _Stream:
    """Pieces of a file, each read when the client has taken the one before."""

    def __init__(self, body: FileBody, receive: Receive) -> None:
        self.length = body.length
        self._key = body.file.key
        self._pieces = body.pieces()
        self._receive = receive
        self._first = b""

    async def begin(self) -> None:
        self._first = await anext(self._pieces, b"")

    async def send(self, send: Send) -> None:
        async with aclosing(self._pieces):
            if len(self._first) == self.length:
                await send({"type": "http.response.body", "body": self._first})
                return
            gone = asyncio.create_task(until_gone(self._receive))
            try:
                await self._pump(send, gone)
            finally:
                gone.cancel()

    async def _pump(self, send: Send, gone: asyncio.Task[None]) -> None:
        piece, is_taken = self._first, True
        while piece and is_taken and not gone.done():
            is_taken = await give(send, {"type": "http.response.body", "body": piece, "more_body": True})
            piece = await self._next() if is_taken else b""
        if is_taken and not gone.done():
            await give(send, {"type": "http.response.body"})

    async def _next(self) -> bytes:
        try:
            return await anext(self._pieces, b"")
        except (Problem, FileCut) as error:
            _log.error("The file %s could not be sent to its end: %s.", self._key, error)
            raise FileCut(self._key) from error


async def give(send: Send, message: Message) -> bool:
    """Whether a client took a message; some servers raise when it is gone, others say nothing."""
    try:
        await send(message)
    except OSError:
        return False
    return True


async def until_gone(receive: Receive) -> None:
    """Return when the client has closed the connection."""
    message = await receive()
    while message["type"] != "http.disconnect":
        await asyncio.sleep(0)  # some callers in-process have a `receive` that never waits
        message = await receive()
