"""An answer without an end: events as they happen (the format of HTML's EventSource)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from undercroft.http.file_response import give, until_gone
from undercroft.http.request import Receive, Send
from undercroft.http.response import Header, Response

HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would collect them
)


class Feed(Protocol):
    """Where the events come from."""

    def begin(self) -> None:
        """The stream begins, in the task that calls this; `was_cut` may cancel it."""

    async def next(self) -> bytes:
        """What to send next; nothing at the end."""

    def leave(self) -> None:
        """The client has gone, or the stream has ended."""

    @property
    def was_cut(self) -> bool:
        """Whether the sending task was cancelled because the client does not read."""


class EventStream(Response):
    """Events until the client goes, or the feed ends."""

    __slots__ = ("_feed", "_receive")

    def __init__(self, feed: Feed, receive: Receive) -> None:
        super().__init__(200, b"", HEADERS)
        self._feed = feed
        self._receive = receive
        self.is_picked = True

    async def send(self, send: Send, common: Sequence[Header], *, without_body: bool = False) -> None:
        """Send the headers, then every event as it comes."""
        del without_body  # who asks for headers alone gets another answer
        self._feed.begin()
        gone = asyncio.create_task(until_gone(self._receive))
        gone.add_done_callback(lambda _: self._feed.leave())
        try:
            await self._pump(send, [*common, *self.headers])
        except asyncio.CancelledError:
            if not self._feed.was_cut:
                raise
        finally:
            gone.cancel()
            self._feed.leave()

    async def _pump(self, send: Send, headers: Sequence[Header]) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        while piece := await self._feed.next():
            if not await give(send, {"type": "http.response.body", "body": piece, "more_body": True}):
                return
        await give(send, {"type": "http.response.body"})
