"""Trying a store out: a small file goes there, is read again, and is deleted."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from undercroft.files.store import Facts, FileStore, StoreUnavailable
from undercroft.ids import random_text

_SECONDS: Final = 20.0
_CONTENT: Final = b"Undercroft tries whether it can keep files here; this one can be deleted.\n"


async def try_out(store: FileStore) -> None:
    """Return when a store does what it should. Raises `StoreUnavailable`."""
    try:
        async with asyncio.timeout(_SECONDS):
            await _try(store)
    except TimeoutError as error:
        raise StoreUnavailable("The file storage did not answer in time.") from error


async def _try(store: FileStore) -> None:
    key = f"undercroft_settings_test_{random_text(8).lower()}/test/test.txt"
    facts = Facts("text/plain", hashlib.md5(_CONTENT, usedforsecurity=False).hexdigest(), "test.txt")
    with TemporaryDirectory() as folder:
        source = Path(folder) / "test.txt"
        source.write_bytes(_CONTENT)
        await store.put(key, source, facts)
    file = await store.find(key)
    found = b"".join([piece async for piece in store.read(file)]) if file else b""
    await store.delete([key])
    if found != _CONTENT or await store.find(key):
        raise StoreUnavailable("The file storage does not give back what it was given.")
