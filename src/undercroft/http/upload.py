"""Files that come with a form: where they go while they arrive, and what they turned out to be.

Reading a form does not know where files are kept. Whoever reads one hands in an
`Intake`, which opens a `Sink` for each file it wants; the bytes go there as they
come, and are never held whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from undercroft.encryption.file_keys import SealedStream
from undercroft.errors import FieldError


@dataclass(frozen=True, slots=True)
class Upload:
    """One uploaded file, waiting on disk. `filename` and `content_type` are what the client says: trust neither.

    `type` is its media type by its content, `md5` the checksum in hex of what is on disk. Of a
    file that is larger than anybody could want only the size is known, and `path` is None.
    A file that shall be stored encrypted is so already while it waits: `sealed` says how, and
    `size` is that of its content. `resumable` is the id of the resumable upload that it came by,
    which its record uses up; where that cannot be, `fault` says why.
    """

    filename: str
    content_type: str
    size: int
    type: str
    md5: str
    path: Path | None
    resumable: str = ""
    fault: FieldError | None = None
    sealed: SealedStream | None = None


class Sink(Protocol):
    """Takes one file, piece by piece."""

    async def write(self, data: bytes) -> None:
        """Take the next bytes. Raises `TooLarge` and `StorageFull`."""

    async def finish(self) -> Upload:
        """What came. Raises `StorageFull`."""
        ...

    def discard(self) -> None:
        """Keep nothing of it; also after `finish`."""


class Intake(Protocol):
    """Opens sinks for the files of one form."""

    def open(self, field: str, filename: str, content_type: str) -> Sink | None:
        """A sink for a file that comes under a name; None when nobody wants such."""
        ...

    async def discard(self, uploads: Iterable[Upload]) -> None:
        """Drop files that have arrived; those that are gone already are no error."""


class NoIntake:
    """The intake of requests that have no use for files."""

    def open(self, field: str, filename: str, content_type: str) -> None:
        """Nothing is kept."""

    async def discard(self, uploads: Iterable[Upload]) -> None:
        """There is nothing to drop."""
