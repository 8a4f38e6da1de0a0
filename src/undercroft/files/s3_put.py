"""A file goes to a bucket, and is there with the right bytes or not at all."""

from __future__ import annotations

import hashlib
from asyncio import to_thread
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import obstore

from undercroft.files.s3_client import Clients
from undercroft.files.s3_errors import FAULTS, told
from undercroft.files.store import Facts, NoSuchFile, StoreUnavailable

_PART: Final = 5 * 1024 * 1024  # the least that a part may be
_PARTS: Final = 10_000  # the most that there may be
_AT_ONCE: Final = 2
_READ: Final = 256 * 1024
_LONGEST_NAME: Final = 1500  # bytes, of the 2 KB that everything known of a file may take
ORIGINAL_NAME: Final = "original-filename"
MD5: Final = "md5"


@dataclass(frozen=True, slots=True)
class Sums:
    """Checksums of a file: its own, and what a bucket calls it; sizes are in bytes."""

    size: int
    part: int
    md5: str
    etag: str


async def put_file(clients: Clients, key: str, source: Path, facts: Facts) -> None:
    """Keep a copy of a local file under a key. Raises `StoreUnavailable`, and then nothing is left there."""
    sums = await to_thread(_sum_up, source)
    if sums.md5 != facts.md5:
        raise StoreUnavailable(detail=f"The staged file {source} has MD5 {sums.md5}, not {facts.md5}.")
    try:
        etag = await _send(clients, key, source, sums, facts)
        await _verify(clients, key, sums, etag)
    except BaseException:
        with suppress(*FAULTS):
            await obstore.delete_async(clients.quick, key)
        raise


async def _send(clients: Clients, key: str, source: Path, sums: Sums, facts: Facts) -> str:
    attributes = {"Content-Type": facts.type, MD5: facts.md5, ORIGINAL_NAME: quoted_name(facts.original_name)}
    client = clients.sending if clients.budget.has_left else clients.sending_once
    try:
        async with clients.large if sums.size > sums.part else nullcontext():
            sent = await obstore.put_async(
                client, key, source, attributes=attributes, chunk_size=sums.part, max_concurrency=_AT_ONCE
            )
    except FAULTS as error:
        clients.budget.spend()
        raise told(error, key) from None
    clients.budget.earn()
    return (sent["e_tag"] or "").strip('"')


async def _verify(clients: Clients, key: str, sums: Sums, etag: str) -> None:
    """Raise `StoreUnavailable` unless what is kept is what was sent.

    Most buckets name a file by its MD5; those that encrypt do not, and there it is read again.
    """
    try:
        kept = await clients.attempt(lambda: obstore.head_async(clients.quick, key), key)
    except NoSuchFile:
        raise _wrong(key, "nothing there") from None
    if kept["size"] != sums.size:
        raise _wrong(key, f"{kept['size']} bytes in place of {sums.size}")
    if {etag, (kept["e_tag"] or "").strip('"')} != {sums.etag}:
        md5 = await _read_sum(clients, key)
        if md5 != sums.md5:
            raise _wrong(key, f"MD5 {md5} in place of {sums.md5}")


async def _read_sum(clients: Clients, key: str) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    try:
        answer = await obstore.get_async(clients.reading, key)
        async for piece in answer.stream(min_chunk_size=_READ):
            md5.update(piece)
    except FAULTS as error:
        raise told(error, key) from None
    return md5.hexdigest()


def _sum_up(source: Path) -> Sums:
    size = source.stat().st_size
    part = max(_PART, -(-size // _PARTS))
    whole, digests = hashlib.md5(usedforsecurity=False), []
    with source.open("rb") as file:
        for start in range(0, size, part):
            digest, left = hashlib.md5(usedforsecurity=False), min(part, size - start)
            while left > 0 and (piece := file.read(min(_READ, left))):
                whole.update(piece)
                digest.update(piece)
                left -= len(piece)
            digests.append(digest.digest())
    md5 = whole.hexdigest()
    if size <= part:
        return Sums(size, part, md5, md5)
    parts = hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()
    return Sums(size, part, md5, f"{parts}-{len(digests)}")


def quoted_name(name: str) -> str:
    """A name as ASCII, cut between two characters where it is too long to be kept."""
    quoted = [quote(character, safe=" !#$&'()+,;=@[]{}~^`") for character in name.encode("utf-8", "replace").decode()]
    while sum(map(len, quoted)) > _LONGEST_NAME:
        quoted = quoted[: len(quoted) * 9 // 10]
    return "".join(quoted)


def _wrong(key: str, found: str) -> StoreUnavailable:
    return StoreUnavailable(
        "The file storage did not keep what it was sent. Try again.",
        5,
        detail=f"The file storage took {key!r} and has {found}.",
    )
