"""A file goes to a bucket, and is there with the right bytes or not at all."""

from __future__ import annotations

import hashlib
from asyncio import to_thread
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

import obstore

from undercroft.files.s3_client import Clients
from undercroft.files.s3_errors import FAULTS, told
from undercroft.files.store import Facts, NoSuchFile, StoreUnavailable

_PART: Final = 5 * 1024 * 1024  # the least that a part may be
_PARTS: Final = 10_000  # the most that there may be
_AT_ONCE: Final = 3
_PIECE: Final = 256 * 1024
_LONGEST_NAME: Final = 1500  # bytes, of the 2 KB that everything known of a file may take
ORIGINAL_NAME: Final = "original-filename"
MD5: Final = "md5"


class Sums:
    """Checksums of the bytes that are sent: their own, and those of parts, from which buckets make names.

    Pieces come one after the other, and none of them is of two parts; sizes are in bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.part = max(_PART, -(-size // _PARTS // _PIECE) * _PIECE)
        self._whole = hashlib.md5(usedforsecurity=False)
        self._part = hashlib.md5(usedforsecurity=False)
        self._parts: list[bytes] = []
        self._seen = 0

    def add(self, piece: bytes) -> bytes:
        """Count a piece in; the same piece."""
        self._whole.update(piece)
        self._part.update(piece)
        self._seen += len(piece)
        if self._seen % self.part == 0 or self._seen == self.size:
            self._parts.append(self._part.digest())
            self._part = hashlib.md5(usedforsecurity=False)
        return piece

    @property
    def is_in_parts(self) -> bool:
        """Whether the file goes in several parts."""
        return self.size > self.part

    @property
    def md5(self) -> str:
        """The MD5 of what was sent, in hex."""
        return self._whole.hexdigest()

    @property
    def etag(self) -> str:
        """What a bucket calls it."""
        if not self.is_in_parts:
            return self.md5
        return f"{hashlib.md5(b''.join(self._parts), usedforsecurity=False).hexdigest()}-{len(self._parts)}"


async def put_file(clients: Clients, key: str, source: Path, facts: Facts) -> None:
    """Keep a copy of a local file under a key. Raises `StoreUnavailable`, and then nothing is left there."""
    sums = Sums((await to_thread(source.stat)).st_size)
    try:
        etag = await _send(clients, key, _Source(source, sums, facts))
        await _verify(clients, _Sent(key, sums, etag), facts)
    except BaseException:
        with suppress(*FAULTS):
            await obstore.delete_async(clients.quick, key)
        raise


@dataclass(frozen=True, slots=True)
class _Source:
    """What is sent."""

    path: Path
    sums: Sums
    facts: Facts


class _Pieces:
    """A file, piece by piece, until it is closed: whoever takes them may ask for one more when all is over."""

    def __init__(self, source: _Source) -> None:
        self._sums = source.sums
        self._file = source.path.open("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await to_thread(self._next)
        if not piece:
            raise StopAsyncIteration
        return piece

    def _next(self) -> bytes:
        try:
            piece = self._file.read(_PIECE)
        except ValueError:
            return b""  # it is closed
        return self._sums.add(piece) if piece else b""


async def _send(clients: Clients, key: str, source: _Source) -> str:
    facts, sums = source.facts, source.sums
    attributes = {"Content-Type": facts.type, MD5: facts.md5, ORIGINAL_NAME: quoted_name(facts.original_name)}
    client = clients.sending if clients.budget.has_left else clients.sending_once
    try:
        if sums.is_in_parts:
            async with clients.large:
                with _Pieces(source) as pieces:
                    sent = await obstore.put_async(
                        client, key, pieces, attributes=attributes, chunk_size=sums.part, max_concurrency=_AT_ONCE
                    )
        else:
            content = sums.add(await to_thread(source.path.read_bytes))
            sent = await obstore.put_async(client, key, content, attributes=attributes, use_multipart=False)
    except FAULTS as error:
        clients.budget.spend()
        raise told(error, key) from None
    clients.budget.earn()
    return (sent["e_tag"] or "").strip('"')


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was sent, and how the bucket acknowledged it."""

    key: str
    sums: Sums
    etag: str


async def _verify(clients: Clients, sent: _Sent, facts: Facts) -> None:
    """Raise `StoreUnavailable` unless what is kept is what was sent, and that what was to be sent.

    Most buckets name a file by its MD5; those that encrypt do not, and there it is read again.
    """
    key, sums = sent.key, sent.sums
    if sums.md5 != facts.md5:
        raise StoreUnavailable(detail=f"What was to be kept as {key!r} has MD5 {sums.md5}, not {facts.md5}.")
    try:
        kept = await clients.attempt(lambda: obstore.head_async(clients.quick, key), key)
    except NoSuchFile:
        raise _wrong(key, "nothing there") from None
    if kept["size"] != sums.size:
        raise _wrong(key, f"{kept['size']} bytes in place of {sums.size}")
    if {sent.etag, (kept["e_tag"] or "").strip('"')} != {sums.etag}:
        md5 = await _read_sum(clients, key)
        if md5 != sums.md5:
            raise _wrong(key, f"MD5 {md5} in place of {sums.md5}")


async def _read_sum(clients: Clients, key: str) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    try:
        answer = await obstore.get_async(clients.reading, key)
        async for piece in answer.stream(min_chunk_size=_PIECE):
            md5.update(piece)
    except FAULTS as error:
        raise told(error, key) from None
    return md5.hexdigest()


def quoted_name(name: str) -> str:
    """A name as ASCII, cut between two characters where it is too long to be kept."""
    quoted = [quote(character, safe="!#$&'()+,;=@[]{}~^`") for character in name.encode("utf-8", "replace").decode()]
    while sum(map(len, quoted)) > _LONGEST_NAME:
        quoted = quoted[: len(quoted) * 9 // 10]
    return "".join(quoted)


def _wrong(key: str, found: str) -> StoreUnavailable:
    return StoreUnavailable(
        "The file storage did not keep what it was sent. Try again.",
        5,
        detail=f"The file storage took {key!r} and has {found}.",
    )
