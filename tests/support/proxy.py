"""A bad network between a program and a server: it delays, or it swallows everything and closes nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Passes bytes on. Set `delay`, in seconds for each piece, and `is_dead` as the test goes on.

    A connection from before the network was dead never comes back, nor is it ever closed.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.delay = 0.0
        self.port = 0
        self._is_dead = False
        self._deaths = 0
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def between(cls, url: str) -> AsyncIterator[tuple[Proxy, str]]:
        """A proxy before the server that a URL names, and the URL that goes through it."""
        parts = urlsplit(url)
        proxy = cls((parts.hostname or "127.0.0.1", parts.port or 5432))
        server = await asyncio.start_server(proxy._welcome, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy, urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{proxy.port}"))
        finally:
            server.close()
            for task in proxy._tasks:
                task.cancel()
            await asyncio.gather(*proxy._tasks, return_exceptions=True)

    @property
    def is_dead(self) -> bool:
        return self._is_dead

    @is_dead.setter
    def is_dead(self, is_so: bool) -> None:
        self._is_dead = is_so
        self._deaths += is_so

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
            if self.is_dead:
                await asyncio.Event().wait()
            upstream, downstream = await asyncio.open_connection(*self._target)
            with contextlib.closing(downstream):
                await self._carry((reader, downstream), (upstream, writer))
        self._tasks.discard(task)

    async def _carry(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Pass bytes both ways until one side closes."""
        pumps = [asyncio.create_task(self._pump(*way)) for way in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        born = self._deaths
        while piece := await reader.read(65536):
            await asyncio.sleep(self.delay)
            if self._deaths != born:
                await asyncio.Event().wait()
            writer.write(piece)
            await writer.drain()
