"""A file comes from a bucket, piece by piece: all of it, or an error before its end."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import obstore

from undercroft.files.s3_client import Clients
from undercroft.files.s3_errors import FAULTS, is_passing, told
from undercroft.files.store import StoredFile, StoreUnavailable

_PIECE: Final = 256 * 1024
_LARGEST: Final = 1024 * 1024
_PAUSE: Final = 0.2
_TRIES: Final = 2  # without a single byte between them


async def read_file(clients: Clients, file: StoredFile, start: int, stop: int) -> AsyncGenerator[bytes, None]:
    """The bytes from `start` up to `stop`. Raises `NoSuchFile` and `StoreUnavailable`.

    Of a whole file the MD5 is checked: the last piece is held back until it is known to be right.
    """
    md5 = hashlib.md5(usedforsecurity=False) if file.facts.md5 and (start, stop) == (0, file.size) else None
    held = b""
    async with aclosing(_read_on(clients, file, start, stop)) as pieces:
        async for piece in pieces:
            if held:
                yield held
            held = piece
            if md5:
                md5.update(piece)
    if md5 and md5.hexdigest() != file.facts.md5:
        raise _spoilt(file, f"its MD5 is {md5.hexdigest()} in place of {file.facts.md5}")
    if held:
        yield held


async def _read_on(clients: Clients, file: StoredFile, start: int, stop: int) -> AsyncGenerator[bytes, None]:
    """The bytes in pieces; where the connection breaks, the rest is asked for again, if the budget allows."""
    tries = _TRIES
    while start < stop:
        began = start
        try:
            async with aclosing(_read_once(clients, file, start, stop)) as pieces:
                async for piece in pieces:
                    start += len(piece)
                    yield piece
        except FAULTS as error:
            if start > began:
                tries = _TRIES
            if tries == 0 or not is_passing(error) or not clients.budget.spend():
                raise told(error, file.key) from None
            tries -= 1
            await asyncio.sleep(_PAUSE)
            continue
        if start == began or start > stop:
            raise _spoilt(file, f"it gave {start} bytes in place of {stop}")
    clients.budget.earn()


async def _read_once(clients: Clients, file: StoredFile, start: int, stop: int) -> AsyncGenerator[bytes, None]:
    answer = await obstore.get_async(clients.reading, file.key, options={"range": (start, stop)})
    async for found in answer.stream(min_chunk_size=_PIECE):
        view = memoryview(found)
        for at in range(0, len(view), _LARGEST):
            yield bytes(view[at : at + _LARGEST])


def _spoilt(file: StoredFile, found: str) -> StoreUnavailable:
    return StoreUnavailable(
        "The file storage does not give back what it was given.",
        60,
        detail=f"{file.key!r} is not what it was: {found}.",
    )
