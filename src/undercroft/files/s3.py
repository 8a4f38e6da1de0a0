"""Files in a bucket of a server that speaks S3, each under its key, with what is known of it as metadata."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import obstore

from undercroft.files.keys import BadKey, split_key
from undercroft.files.s3_bucket import Bucket
from undercroft.files.s3_client import Clients, connect
from undercroft.files.s3_errors import FAULTS
from undercroft.files.s3_link import sign_link
from undercroft.files.s3_put import MD5, ORIGINAL_NAME, put_file
from undercroft.files.s3_read import read_file
from undercroft.files.store import Facts, ListedFile, NoSuchFile, StoredFile

if TYPE_CHECKING:
    from obstore import Attributes, ObjectMeta

_PAGE: Final = 1000
_LARGE: Final = 8 * 1024 * 1024
_LISTS_AT_ONCE: Final = 8
_IS_MD5: Final = re.compile(r"[0-9a-f]{32}")
_BYTES: Final = "application/octet-stream"
_FAREWELL: Final = 0.05
_PATIENCE: Final = 2.0  # seconds that listings nobody waits for any more may hold up the end


class S3Files:
    """A `FileStore` in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._listings: set[asyncio.Task[Sequence[ObjectMeta]]] = set()

    @cached_property
    def _clients(self) -> Clients:
        return connect(self.bucket)

    async def put(self, key: str, source: Path, facts: Facts) -> None:
        """Keep a copy of a local file. Raises `BadKey`, `StoreUnavailable`."""
        split_key(key)
        await put_file(self._clients, key, source, facts)

    async def find(self, key: str) -> StoredFile | None:
        """What is known of a file, if there is one."""
        try:
            split_key(key)
            answer = await self._clients.attempt(
                lambda: obstore.get_async(self._clients.quick, key, options={"head": True}), key
            )
        except (BadKey, NoSuchFile):
            return None
        return _describe(key, answer.meta, answer.attributes)

    def read(self, file: StoredFile, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a file, from `start` up to `stop`. Raises `NoSuchFile`."""
        return read_file(self._clients, file, start, file.size if stop is None else min(stop, file.size))

    def path(self, file: StoredFile) -> None:
        """It is not on this machine."""
        del file

    def link(self, file: StoredFile, headers: Mapping[str, str]) -> str | None:
        """An address in the bucket, where that is wanted and the file is large."""
        seconds = self.bucket.link_seconds
        return sign_link(self.bucket, file.key, seconds, headers) if seconds and file.size >= _LARGE else None

    async def is_open(self, key: str) -> bool:
        """Whether everybody can read a file in the bucket."""
        try:
            await obstore.head_async(self._clients.anonymous, key)
        except FAULTS:
            return False
        return True

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete files with their thumbs, or all below a key that ends in a slash."""
        left = iter(keys)
        while some := list(islice(left, _LISTS_AT_ONCE)):
            await asyncio.gather(*map(self._delete_one, some))

    async def list(self, prefix: str = "") -> AsyncIterator[ListedFile]:
        """All files whose keys begin with a prefix."""
        async for page in self._pages(prefix):
            for file in page:
                yield ListedFile(file["path"], file["size"], file["last_modified"])

    async def close(self) -> None:
        """Let go; what threads still hold of the last answers is gone when this returns."""
        if self._listings:
            await asyncio.wait(self._listings, timeout=_PATIENCE)
        if "_clients" in self.__dict__:
            # A thread that comes back to an interpreter which is ending aborts the process.
            await asyncio.sleep(_FAREWELL)

    async def _delete_one(self, key: str) -> None:
        split_key(key.removesuffix("/"))
        async for page in self._pages(_folder_of(key)):
            await self._delete_all([file["path"] for file in page])
        if not key.endswith("/"):
            await self._delete_all([key])

    async def _delete_all(self, keys: Sequence[str]) -> None:
        await self._clients.attempt(lambda: obstore.delete_async(self._clients.quick, keys), keys[0])

    async def _pages(self, prefix: str) -> AsyncIterator[Sequence[ObjectMeta]]:
        """What is listed, page by page; a page that fails is asked for again."""
        after: str | None = None
        while page := await self._clients.attempt(lambda: self._page(prefix, after), prefix):  # noqa: B023 - awaited here
            yield [file for file in page if file["path"].startswith(prefix)]
            after = page[-1]["path"]

    async def _page(self, prefix: str, after: str | None) -> Sequence[ObjectMeta]:
        # A listing that is dropped while it waits for its answer panics, so it goes on when its caller does not.
        asking = asyncio.create_task(self._ask(prefix.rpartition("/")[0] or None, after))
        self._listings.add(asking)
        asking.add_done_callback(self._settle)
        return await asyncio.shield(asking)

    def _settle(self, asking: asyncio.Task[Sequence[ObjectMeta]]) -> None:
        self._listings.discard(asking)
        if not asking.cancelled():
            asking.exception()  # whoever still waits is told; when nobody does, nobody need be

    async def _ask(self, folder: str | None, after: str | None) -> Sequence[ObjectMeta]:
        async for page in obstore.list(self._clients.quick, folder, offset=after, chunk_size=_PAGE):
            return page
        return []


def _folder_of(key: str) -> str:
    """The folder that goes with a key: itself, or the one of a file's thumbs."""
    if key.endswith("/"):
        return key
    folder, _, name = key.rpartition("/")
    return f"{folder}/thumbs_{name}/"


def _describe(key: str, meta: ObjectMeta, attributes: Attributes) -> StoredFile:
    etag = (meta["e_tag"] or "").strip('"')
    md5 = attributes.get(MD5, "") or etag
    original = unquote(attributes.get(ORIGINAL_NAME, "")) or key.rpartition("/")[2]
    facts = Facts(attributes.get("Content-Type", _BYTES), md5 if _IS_MD5.fullmatch(md5) else "", original)
    return StoredFile(key, meta["size"], meta["last_modified"], facts.md5 or etag, facts)
