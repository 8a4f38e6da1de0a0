"""Where the bytes of files are kept: one protocol for a local folder and for a bucket.

A file is known by its key, `COLLECTION_ID/RECORD_ID/NAME`; what is made from it (a
thumb) lies beside it, at `COLLECTION_ID/RECORD_ID/thumbs_NAME/SIZE_NAME`. Names are
random, so that a key is written once and never again: what stands there is whole,
and stays as it is until it is deleted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from undercroft.errors import NotFound, Unavailable


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a file beside its bytes: its media type, MD5 in hex, and the name it came with."""

    type: str
    md5: str
    original_name: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a store; `size` in bytes, `modified` in UTC, `etag` without its quotes."""

    key: str
    size: int
    modified: datetime
    etag: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as a listing shows it."""

    key: str
    size: int
    modified: datetime


class NoSuchFile(NotFound):
    """The store holds nothing under a key."""

    code = "no_such_file"


class StoreUnavailable(Unavailable):
    """The store of files does not answer, or answers with nonsense."""

    code = "file_store_unavailable"
    default = "The file storage is not available. Try again."

    def __init__(self, text: str = "", retry_after: int = 1, *, detail: str = "") -> None:
        """`detail` is for the operator: it may say where the store is, and never its keys."""
        super().__init__(text, retry_after)
        self.detail = detail


class FileStore(Protocol):
    """Keeps files. Every call may raise `StoreUnavailable`."""

    async def put(self, key: str, source: Path, facts: Facts) -> None:
        """Keep a copy of a local file under a key: whole and durable when this returns, or not there at all.

        `source` stays. The store checks that what it keeps has the MD5 of the facts.
        """

    async def find(self, key: str) -> StoredFile | None:
        """What is known of the file under a key, if there is one."""

    def read(self, file: StoredFile, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a file from `start` up to, not including, `stop`, in pieces of at most 1 MiB.

        Raises `NoSuchFile` when it is gone by now.
        """

    def path(self, file: StoredFile) -> Path | None:
        """Where a file lies on this machine's disk, for a server that can send it from there."""

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete files with what was made from them; what is gone already is no error.

        A key that ends in `/` deletes everything below it.
        """

    def list(self, prefix: str = "") -> AsyncIterator[ListedFile]:
        """All files whose keys begin with a prefix, thumbs included, in no order."""

    async def close(self) -> None:
        """Let go of connections."""


@runtime_checkable
class RemoteStore(Protocol):
    """A store on another machine, which others can reach as well as we can."""

    def link(self, file: StoredFile, headers: Mapping[str, str]) -> str | None:
        """An address that is good for a minute at most, if files like this are to be fetched so.

        The answer there has these headers.
        """

    async def is_open(self, key: str) -> bool:
        """Whether everybody can read a file from the store itself, whatever the rules of its record say."""
