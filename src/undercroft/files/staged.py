"""One file while it arrives: written, measured and hashed in one pass, and sealed where that is wanted."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from undercroft.encryption.file_keys import FileKey, SealedStream
from undercroft.files.local_folder import told_faults
from undercroft.files.sniff import HEAD, media_type
from undercroft.http.upload import Upload

_AT_ONCE: Final = 256 * 1024
_SMALL: Final = 64 * 1024  # what is written on the event loop, because a thread would take longer
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


async def read_waiting(upload: Upload) -> AsyncIterator[bytes]:
    """The content of a file that waits, in pieces. Raises `FileNotFoundError` when it does so no more."""
    if upload.path is None:
        return
    opener = upload.sealed.key.lock().opener() if upload.sealed is not None else None
    with await asyncio.to_thread(upload.path.open, "rb") as source:
        while piece := await asyncio.to_thread(source.read, _AT_ONCE):
            if plain := opener.feed(piece) if opener is not None else piece:
                yield plain
        if opener is not None and (last := opener.finish()):
            yield last


class Arriving:
    """A file that is being written to a path.

    While one piece is written on a thread the next one is collected, so at most two are
    in memory. With a key nothing of it is written in clear.
    """

    def __init__(self, path: Path, filename: str, content_type: str, key: FileKey | None = None) -> None:
        self.filename = filename
        self.content_type = content_type
        self._path = path
        self._key = key
        self._sealer = key.lock().sealer() if key is not None else None
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
            await self._pass_on(self._write)

    async def finish(self) -> Upload:
        """The file, whole. Raises `StorageFull` and `StoreUnavailable`."""
        if self._writing is None and self._count <= _SMALL:
            self._write_last(self._taken())
        else:
            await self._pass_on(self._write_last)
            await self._written()
        self._close()
        told = (self._size, media_type(self._head), self._digest.hexdigest(), self._path)
        return Upload(self.filename, self.content_type, *told, sealed=self._sealed())

    async def pour(self, pieces: AsyncIterator[bytes]) -> Upload:
        """The file that these pieces make; nothing is kept when they do not come to an end."""
        try:
            async for piece in pieces:
                await self.write(piece)
            return await self.finish()
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Keep nothing; what a thread still writes goes as soon as it is done."""
        self._waiting, self._count = [], 0
        if self._writing is None or self._writing.done():
            self._drop()
        else:
            self._writing.add_done_callback(self._give_up)

    async def _pass_on(self, write: Callable[[list[bytes]], None]) -> None:
        await self._written()
        pieces = self._taken()
        self._writing = asyncio.get_running_loop().run_in_executor(None, write, pieces)

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
                self._size += len(piece)
                self._put(self._sealer.feed(piece) if self._sealer is not None else piece)

    def _write_last(self, pieces: list[bytes]) -> None:
        self._write(pieces)
        if self._sealer is not None:
            with told_faults():
                self._put(self._sealer.finish())

    def _put(self, piece: bytes) -> None:
        self._digest.update(piece)
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def _sealed(self) -> SealedStream | None:
        if self._key is None or self._sealer is None:
            return None
        return SealedStream(self._key, self._sealer.header, self._size)

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
