"""The body of a request as it comes, for those who keep it elsewhere than in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from undercroft.files.tus_protocol import UploadInterrupted
from undercroft.http.request import Message, Request

JOINED: Final = 1024 * 1024  # bytes that are kept at once, as each has its price
TICK_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 60


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """What comes, joined to pieces of about 1 MiB; an empty one whenever nothing came for a second.

    Raises `UploadInterrupted` when the client goes away, or sends nothing for a minute;
    what had come until then was given before.
    """
    waiting, size, ticks = list[bytes](), 0, 0
    receiving: asyncio.Task[Message] | None = None
    try:
        while True:
            receiving = receiving or asyncio.ensure_future(_receive(request))
            done, _ = await asyncio.wait({receiving}, timeout=TICK_SECONDS)
            message = receiving.result() if done else None
            receiving = None if done else receiving
            ticks = 0 if done else ticks + 1
            if message is not None:
                waiting.append(message.get("body", b""))
                size += len(waiting[-1])
            is_last = message is not None and not message.get("more_body", False)
            if size >= JOINED or is_last or message is None:
                yield b"".join(waiting)
                waiting, size = [], 0
            if ticks >= IDLE_SECONDS or (message is not None and message["type"] == "http.disconnect"):
                raise UploadInterrupted
            if is_last:
                return
    finally:
        if receiving is not None:
            receiving.cancel()


async def _receive(request: Request) -> Message:
    return await request.receive()
