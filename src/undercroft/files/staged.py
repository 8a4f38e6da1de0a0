"""One file while it arrives: written, measured and hashed in one pass."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from undercroft.files.local_folder import told_faults
from undercroft.files.sniff import HEAD, media_type
from undercroft.http.upload import Upload

_AT_ONCE: Final = 256 * 1024
_SMALL: Final = 64 * 1024  # what is written on the event loop, because a thread would take longer
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Arriving:
    """A file that is being written to a path.

    While one piece is written on a thread the next one is collected, so at most two are
    in memory.
    """

    def __init__(self, path: Path, filename: str, content_type: str) -> None:
        self.filename = filename
        self.content_type = content_type
        self._path = path
        self._file = -1
        self._waiting: list[bytes] = []
        self._count = 0
        self._writing: asyncio.Future[None] | None = None
        self._head = b""
        self._size = 0
        self._digest = hashlib.md5(usedforsecurity=False)

    async def write(self, data: bytes) -> None:
        """Take the next bytes. Raises `StorageFull` and `StoreUnavailable`."""
        if len(self._head) < HEAD:
            self._head += data[: HEAD - len(self._head)]
        self._waiting.append(data)
        self._count += len(data)
        if self._count >= _AT_ONCE:
            await self._pass_on()

    async def finish(self) -> Upload:
        """The file, whole. Raises `StorageFull` and `StoreUnavailable`."""
        if self._writing is None and self._count <= _SMALL:
            self._write(self._taken())
        else:
            await self._pass_on()
            await self._written()
        self._close()
        found, md5 = media_type(self._head), self._digest.hexdigest()
        return Upload(self.filename, self.content_type, self._size, found, md5, self._path)

    def discard(self) -> None:
        """Keep nothing; what a thread still writes goes as soon as it is done."""
        self._waiting, self._count = [], 0
        if self._writing is None or self._writing.done():
            self._drop()
        else:
            self._writing.add_done_callback(self._give_up)

    async def _pass_on(self) -> None:
        await self._written()
        pieces = self._taken()
        self._writing = asyncio.get_running_loop().run_in_executor(None, self._write, pieces)

    async def _written(self) -> None:
        """Return once the thread is done. It cannot be stopped, so it goes on when the caller is."""
        if self._writing is not None:
            await asyncio.shield(self._writing)

    def _taken(self) -> list[bytes]:
        pieces, self._waiting, self._count = self._waiting, [], 0
        return pieces

    def _write(self, pieces: list[bytes]) -> None:
        with told_faults():
            if self._file < 0:
                self._file = os.open(self._path, _NEW, 0o644)
            for piece in pieces:
                self._digest.update(piece)
                self._size += len(piece)
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(self._file, rest) :]

    def _give_up(self, written: asyncio.Future[None]) -> None:
        if not written.cancelled():
            written.exception()  # nobody asks for it any more
        self._drop()

    def _drop(self) -> None:
        self._close()
        with suppress(FileNotFoundError):
            self._path.unlink()

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
