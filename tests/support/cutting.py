"""A bad line: a TCP proxy that cuts connections once so many bytes went up through it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Line:
    """A proxy in front of a port of this machine; `cuts` are totals of bytes, `done` those that happened."""

    target: int
    cuts: list[int]
    port: int = 0
    sent: int = 0
    done: list[int] = field(default_factory=list)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it or it is cut."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            upper_reader, upper_writer = await asyncio.open_connection("127.0.0.1", self.target)
            ways = [
                asyncio.create_task(self._up(reader, upper_writer)),
                asyncio.create_task(self._down(upper_reader, writer)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            upper_writer.transport.abort()
        writer.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)
            if self.cuts and self.sent >= self.cuts[0]:
                self.done.append(self.cuts.pop(0))
                return

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
        writer.close()  # what was written before goes out first
        await writer.wait_closed()


@contextlib.contextmanager
def cutting(target: int, cuts: list[int]) -> Iterator[Line]:
    """A line to a port that is cut at these totals; it runs in a thread of its own."""
    line = Line(target, sorted(cuts))
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def serve() -> None:
        server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
        line.port = server.sockets[0].getsockname()[1]
        ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            await server.serve_forever()

    def run() -> None:
        asyncio.set_event_loop(loop)
        serving = loop.create_task(serve())
        stopping.append(serving)
        loop.run_until_complete(serving)
        rest = asyncio.all_tasks(loop)
        for task in rest:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        loop.close()

    stopping: list[asyncio.Task[None]] = []
    thread = threading.Thread(target=run)
    thread.start()
    ready.wait(10)
    try:
        yield line
    finally:
        loop.call_soon_threadsafe(stopping[0].cancel)
        thread.join(10)
