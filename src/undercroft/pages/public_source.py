"""Where the bytes of static files come from: the disk, or memory for those that were packed."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import Final

from undercroft.files.store import Facts, NoSuchFile, StoredFile
from undercroft.pages.caching import PACKERS, SMALLEST

_PIECE: Final = 256 * 1024
_LARGEST: Final = 1024 * 1024  # bytes of a text that is packed when it is asked for
_MOST: Final = 16 * 1024 * 1024  # bytes of packed texts that are kept
_OPEN: Final = ".well-known"


@dataclass(frozen=True, slots=True)
class PublicFile:
    """A file on disk; `changed` in nanoseconds since 1970."""

    location: Path
    size: int
    changed: int

    def stored(self) -> StoredFile:
        """The file as those who send files know it."""
        return _stored(self, f"{self.changed:x}-{self.size:x}", self.size)

    def path(self, file: StoredFile) -> Path:
        """Where it lies, for a server that sends it from there."""
        del file
        return self.location

    async def read(self, file: StoredFile, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Its bytes from `start` up to `stop`. Raises `NoSuchFile` when it is gone by now."""
        until = file.size if stop is None else stop
        while start < until and (piece := await to_thread(_read, self.location, start, min(_PIECE, until - start))):
            start += len(piece)
            yield piece


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file packed in memory."""

    origin: PublicFile
    encoding: bytes
    body: bytes

    def stored(self) -> StoredFile:
        """The packed file as those who send files know it; its tag is not that of the file as it is."""
        origin = self.origin
        return _stored(origin, f"{origin.changed:x}-{origin.size:x}-{self.encoding.decode()}", len(self.body))

    def path(self, file: StoredFile) -> None:
        """It lies nowhere."""
        del file

    async def read(self, file: StoredFile, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Its bytes."""
        yield self.body[start : file.size if stop is None else stop]


class Packed:
    """Packed texts, kept as long as there is room for them."""

    def __init__(self) -> None:
        self._known: dict[tuple[PublicFile, bytes], PackedFile] = {}
        self._size = 0

    async def of(self, file: PublicFile, encoding: bytes) -> PackedFile | None:
        """The file packed; None when it is too small or too large for that."""
        if not SMALLEST <= file.size <= _LARGEST:
            return None
        known = self._known.get((file, encoding))
        if known is None:
            known = PackedFile(file, encoding, await to_thread(_pack, file.location, encoding))
            self._keep(known)
        return known

    def _keep(self, packed: PackedFile) -> None:
        if self._size + len(packed.body) > _MOST:
            self._known.clear()
            self._size = 0
        self._known[packed.origin, packed.encoding] = packed
        self._size += len(packed.body)


def found_file(root: Path, segments: Sequence[str]) -> PublicFile | None:
    """The file at a path below a folder; None for what is hidden, no file, or reached over a link that leads out."""
    if not segments or any(segment.startswith(".") and segment != _OPEN for segment in segments):
        return None
    path = root.joinpath(*segments)
    try:
        found = path.stat()
        is_inside = path.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError):
        return None
    return PublicFile(path, found.st_size, found.st_mtime_ns) if S_ISREG(found.st_mode) and is_inside else None


def _stored(file: PublicFile, etag: str, size: int) -> StoredFile:
    modified = datetime.fromtimestamp(file.changed / 1e9, UTC)
    return StoredFile(file.location.name, size, modified, etag, Facts("", "", file.location.name))


def _read(path: Path, start: int, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(count)
    except FileNotFoundError:
        raise NoSuchFile from None


def _pack(path: Path, encoding: bytes) -> bytes:
    return PACKERS[encoding](path.read_bytes())
