"""Resumable uploads: begun, received piece by piece, and taken by the record they are for.

What arrived is a part file (`tus_parts`); whose it is stands in the database (`tus_state`). Of an
upload that could be for an encrypted field nothing is on a disk in clear: its pieces are sealed
under a key of its own, and the database has that key, and what the client says of the upload,
sealed for its row. An upload is known to whoever began it and to nobody else, and it is used
once: the transaction that writes the record also forgets the upload.
"""

from __future__ import annotations

import asyncio
import hashlib
from asyncio import to_thread
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_bytes
from typing import Any, Final, TypeVar

from undercroft.database.engine import Engine, Transaction
from undercroft.encryption.keyset import KEY_BYTES
from undercroft.files.sniff import HEAD, media_type
from undercroft.files.staging import Staging
from undercroft.files.tus_frames import Frames
from undercroft.files.tus_parts import Part, Parts, Unfinished
from undercroft.files.tus_protocol import (
    Checksum,
    NoSuchUpload,
    UploadElsewhere,
    UploadExpired,
    UploadInterrupted,
    UploadLocked,
    UploadTooLarge,
    WrongChecksum,
    WrongOffset,
    parse_metadata,
)
from undercroft.files.tus_state import Quota, Upload, add_upload, drop_upload, find_upload, known_uploads, prolong
from undercroft.http.upload import Upload as Submitted
from undercroft.ids import random_text
from undercroft.keys.ring import Keyring

T = TypeVar("T")
ID_LENGTH: Final = 32
_PATIENCE: Final = 3.0  # seconds that a writer from whom nothing comes has to go
_TRY_EVERY: Final = 0.1
_QUIET: Final = 2  # empty chunks in a row; one may come of a busy machine
_PROLONG_AFTER: Final = 3600.0  # seconds; not every piece needs a write to the database


@dataclass(frozen=True, slots=True)
class Piece:
    """What comes for an upload: from which offset on, and what it must sum up to.

    `chunks` gives an empty one whenever nothing came for half a second.
    """

    offset: int
    chunks: AsyncIterator[bytes]
    checksum: Checksum | None = None


class Uploads:
    """The resumable uploads of one backend, with their part files in a folder."""

    def __init__(self, engine: Engine, folder: Path, keyring: Keyring) -> None:
        self.parts = Parts(folder)
        self._engine = engine
        self._keyring = keyring
        self._known: dict[str, tuple[str, str]] = {}

    async def begin(self, upload: Upload, quota: Quota | None, *, is_encrypted: bool = False) -> Upload:
        """A new upload with an id of its own. Raises `TooManyUploads`, `StorageFull` and `KeysUnavailable`."""
        upload_id = random_text(ID_LENGTH)
        key = b64encode(token_bytes(KEY_BYTES)).decode() if is_encrypted else ""
        sealed = self._keyring.seal_text(_context("key", upload_id), key) if key else ""
        new = replace(upload, id=upload_id, place=self.parts.place, key=sealed)

        async def add(tx: Transaction) -> None:
            await add_upload(tx, self._engine.dialect, self._kept(new), quota)

        await to_thread(self.parts.make_room, upload.size)
        await self._engine.write(add)
        return new

    async def find(self, upload_id: str, owner: str) -> Upload:
        """An upload that the caller began.

        Raises `NoSuchUpload`, `UploadExpired`, `UploadElsewhere` and, where it arrives encrypted, `KeysUnavailable`.
        """
        upload = None
        if len(upload_id) == ID_LENGTH and upload_id.isascii() and upload_id.isalnum():
            upload = await find_upload(self._engine.read, self._engine.dialect, upload_id)
        if upload is None or upload.owner != owner:
            raise NoSuchUpload
        if upload.left <= 0:
            raise UploadExpired
        if upload.place != self.parts.place:
            raise UploadElsewhere
        if upload.key:
            told = self._keyring.open_text(_context("metadata", upload.id), upload.metadata)
            return replace(upload, metadata=told)
        return upload

    async def offset(self, upload: Upload) -> int:
        """How many bytes have arrived for good."""
        return await to_thread(self.parts.offset, upload.id, is_sealed=bool(upload.key))

    async def receive(self, upload: Upload, piece: Piece) -> tuple[Upload, int]:
        """Add a piece; the upload with the time it now has, and its offset.

        What arrived of a piece that ends too early is kept, unless it came with a
        checksum. Raises `UploadLocked`, `WrongOffset`, `UploadTooLarge`, `WrongChecksum`,
        `UploadInterrupted`, `NoSuchUpload` and `StorageFull`.
        """
        work = _Work(await self._patiently(lambda: self._open(upload)))
        try:
            upload = await self._prolong(upload)
            await work.do(work.part.recover)
            if piece.offset != work.part.offset:
                raise WrongOffset(piece.offset, work.part.offset)
            await _receive(work, piece, upload.size)
            return upload, work.part.offset
        finally:
            work.close()

    async def take(self, upload: Upload, staging: Staging, *, is_encrypted: bool = False) -> Submitted:
        """A whole upload as a file that waits, encrypted if it shall be and arrived so.

        The upload stays; the transaction that writes a record with the file drops it. Raises
        `Unfinished`, `NoSuchUpload` and `UploadLocked`.
        """
        try:
            if upload.key:
                return await self._take_sealed(upload, staging, is_encrypted=is_encrypted)
            return await self._take_plain(upload, staging.own() / random_text(24))
        except Unfinished:
            await self.find(upload.id, upload.owner)  # raises when it was used up meanwhile
            raise

    async def _take_plain(self, upload: Upload, path: Path) -> Submitted:
        await self._patiently(lambda: to_thread(self.parts.take, upload.id, upload.size, path))
        if upload.id not in self._known:
            self._known[upload.id] = await to_thread(_describe, path)  # a record that is refused is often sent again
        kind, md5 = self._known[upload.id]
        told = parse_metadata(upload.metadata)
        return Submitted(upload.filename, told.get("filetype", ""), upload.size, kind, md5, path, upload.id)

    async def _take_sealed(self, upload: Upload, staging: Staging, *, is_encrypted: bool) -> Submitted:
        """A copy of the content, since under the key of an upload no file is kept."""
        frames = self._frames(upload)
        found = await self._patiently(lambda: to_thread(self.parts.pieces, upload.id, upload.size, frames))
        told = parse_metadata(upload.metadata)
        arriving = staging.arriving(upload.filename, told.get("filetype", ""), is_encrypted=is_encrypted)
        return replace(await arriving.pour(_on_thread(found)), resumable=upload.id)

    async def clear(self, upload_ids: Iterable[str]) -> None:
        """Remove what arrived of those of the uploads that are forgotten by now."""
        for upload_id in upload_ids:
            if await find_upload(self._engine.read, self._engine.dialect, upload_id) is None:
                self._known.pop(upload_id, None)
                await to_thread(self.parts.remove, [upload_id])

    async def drop(self, upload: Upload) -> None:
        """Forget an upload and what arrived of it. Raises `NoSuchUpload` when somebody else just did."""

        async def forget(tx: Transaction) -> bool:
            return await drop_upload(tx, self._engine.dialect, upload.id)

        if not await self._engine.write(forget):
            raise NoSuchUpload
        await to_thread(self.parts.remove, [upload.id])

    async def sweep(self) -> int:
        """Remove what arrived of uploads that are forgotten; of how many there was something."""
        # Looked at in this order: what is there has been known before, so what is not known now is forgotten.
        found = await to_thread(self.parts.listed)
        if not found:
            return 0
        self._known.clear()
        lost = found - await known_uploads(self._engine, self.parts.place)
        await to_thread(self.parts.remove, lost)
        return len(lost)

    async def _open(self, upload: Upload) -> Part:
        # Not on a thread: who is cancelled while one locks could not unlock.
        return self.parts.open(upload.id, self._frames(upload) if upload.key else None)

    def _kept(self, upload: Upload) -> Upload:
        """An upload as the database has it."""
        if not upload.key:
            return upload
        return replace(upload, metadata=self._keyring.seal_text(_context("metadata", upload.id), upload.metadata))

    def _frames(self, upload: Upload) -> Frames:
        return Frames(upload.id, b64decode(self._keyring.open_text(_context("key", upload.id), upload.key)))

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """What comes of work, as soon as nobody else writes to the part file. Raises `UploadLocked`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE
        while True:
            try:
                return await work()
            except UploadLocked:
                if loop.time() > deadline:
                    raise
            await asyncio.sleep(_TRY_EVERY)

    async def _prolong(self, upload: Upload) -> Upload:
        if upload.longest - upload.left < _PROLONG_AFTER:
            return upload

        async def act(tx: Transaction) -> bool:
            return await prolong(tx, self._engine.dialect, upload)

        if not await self._engine.write(act):
            await to_thread(self.parts.remove, [upload.id])
            raise NoSuchUpload
        return replace(upload, left=upload.longest)


class _Work:
    """Does one thing after another to a part file, each on a thread, and closes it after the last."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._doing: asyncio.Future[Any] | None = None

    async def do(self, step: Callable[..., None], *arguments: Any) -> None:
        """Do one thing; it goes on to its end also when the caller is cancelled."""
        self._doing = asyncio.get_running_loop().run_in_executor(None, step, *arguments)
        await asyncio.shield(self._doing)

    def close(self) -> None:
        """Let others write, once nothing is being done any more."""
        if self._doing is None or self._doing.done():
            self.part.close()
        else:
            self._doing.add_done_callback(lambda _: self.part.close())


async def _receive(work: _Work, piece: Piece, size: int) -> None:
    part, begin = work.part, work.part.offset
    total = piece.checksum.start() if piece.checksum else None
    if total is not None:
        await work.do(part.expect_check)
    quiet = 0
    async for chunk in piece.chunks:
        quiet = 0 if chunk else quiet + 1
        if quiet >= _QUIET and part.is_wanted:
            raise UploadInterrupted
        if part.offset + len(chunk) > size:
            await work.do(part.go_back, begin)
            raise UploadTooLarge(size)
        if chunk:
            await work.do(_add, part, chunk, total)
    if piece.checksum and total is not None and total.digest() != piece.checksum.digest:
        await work.do(part.go_back, begin)
        raise WrongChecksum
    await work.do(part.sync)
    await work.do(part.keep)


async def _on_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while piece := await to_thread(next, pieces, b""):
        yield piece


def _context(column: str, upload_id: str) -> str:
    return f"_uploads|{column}|{upload_id}"


def _add(part: Part, chunk: bytes, total: Any) -> None:
    part.append(chunk)
    if total is not None:
        total.update(chunk)


def _describe(path: Path) -> tuple[str, str]:
    """The media type of a file by its content, and its MD5 in hex."""
    with path.open("rb") as source:
        kind = media_type(source.read(HEAD))
        source.seek(0)
        return kind, hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
