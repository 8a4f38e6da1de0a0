"""The bytes of a file on their way to a client, piece by piece, as fast as the client takes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from undercroft.files.store import StoredFile
from undercroft.http.ranges import Span

PIECE: Final = 64 * 1024  # what one client that does not read can make a server hold is a few of these


class FileCut(Exception):
    """A file could not be sent to its end: the connection is cut, so that no client takes it for whole."""


class Source(Protocol):
    """Where bytes of files come from: of a `FileStore`, what reading takes."""

    def read(self, file: StoredFile, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a file from `start` up to `stop`."""

    def path(self, file: StoredFile) -> Path | None:
        """Where a file lies on this machine's disk, for a server that can send it from there."""


@dataclass(frozen=True, slots=True)
class Part:
    """A span of a file, with what stands before it in the body."""

    span: Span
    lead: bytes = b""


@dataclass(frozen=True, slots=True)
class FileBody:
    """What is sent of a file: parts of it, and what stands after the last."""

    store: Source
    file: StoredFile
    parts: Sequence[Part]
    tail: bytes = b""

    @property
    def length(self) -> int:
        """Bytes of the whole body."""
        return sum(len(part.lead) + part.span.length for part in self.parts) + len(self.tail)

    @property
    def is_whole(self) -> bool:
        """Whether it is the file as it is."""
        return not self.tail and [part.span for part in self.parts] == [Span(0, self.file.size)]

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body in small pieces. Raises what the store raises, and `FileCut` for a file that ends early."""
        for part in self.parts:
            if part.lead:
                yield part.lead
            async with aclosing(self._read(part.span)) as read:
                async for piece in read:
                    yield piece
        if self.tail:
            yield self.tail

    async def _read(self, span: Span) -> AsyncGenerator[bytes, None]:
        left = span.length
        source = self.store.read(self.file, span.start, span.stop)
        try:
            async for found in source:
                view = memoryview(found)[:left]
                left -= len(view)
                for at in range(0, len(view), PIECE):
                    yield bytes(view[at : at + PIECE])
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()  # lets go of the file now, not when the garbage is collected
        if left:
            raise FileCut(f"it has {left} bytes less than it had")
