"""The body of a request as it comes, for those who keep it elsewhere than in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Final

from undercroft.files.tus_protocol import UploadInterrupted
from undercroft.http.request import Message, Request

JOINED: Final = 1024 * 1024  # bytes that are kept at once, as each has its price
TICK_SECONDS: Final = 0.5
_IDLE_TICKS: Final = 120
_NOTHING: Final[Message] = {"type": "nothing"}


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """What comes, joined to pieces of about 1 MiB; an empty one whenever nothing came for half a second.

    Raises `UploadInterrupted` when the client goes away, or sends nothing for a minute;
    what had come until then was given before.
    """
    waiting, size, idle, given = list[bytes](), 0, 0, monotonic()
    receiving: asyncio.Task[Message] | None = None
    try:
        while not request.is_read:
            receiving = receiving or asyncio.ensure_future(_receive(request))
            done, _ = await asyncio.wait({receiving}, timeout=TICK_SECONDS)
            message = receiving.result() if done else _NOTHING
            receiving, idle = (None, 0) if done else (receiving, idle + 1)
            waiting.append(message.get("body", b""))
            size += len(waiting[-1])
            request.is_read = message["type"] == "http.request" and not message.get("more_body", False)
            is_gone = message["type"] == "http.disconnect"
            if size >= JOINED or request.is_read or is_gone or monotonic() - given >= TICK_SECONDS:
                yield b"".join(waiting)
                waiting, size, given = [], 0, monotonic()
            if is_gone or idle >= _IDLE_TICKS:
                raise UploadInterrupted
    finally:
        if receiving is not None:
            receiving.cancel()


async def _receive(request: Request) -> Message:
    return await request.receive()
