"""Trying a store out: a small file goes there, is read again, and is deleted."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from undercroft.files.store import Facts, FileStore, RemoteStore, StoreUnavailable
from undercroft.ids import random_text

_log = logging.getLogger("undercroft")
OPEN: Final = "Everybody can read the file storage, past all rules: make it private."
_SECONDS: Final = 20.0
_CONTENT: Final = b"Undercroft tries whether it can keep files here; this one can be deleted.\n"


async def try_out(store: FileStore) -> None:
    """Return when a store does what it should. Raises `StoreUnavailable`."""
    try:
        async with asyncio.timeout(_SECONDS):
            await _try(store)
    except TimeoutError as error:
        raise StoreUnavailable("The file storage did not answer in time.") from error


async def tell_fault(store: FileStore) -> None:
    """Look at a store once, and tell the operator what is wrong with it; nothing is written there."""
    if fault := await _find_fault(store):
        _log.warning("%s", fault)


async def _find_fault(store: FileStore) -> str:
    if not isinstance(store, RemoteStore):
        return ""
    try:
        async with asyncio.timeout(_SECONDS):
            async for file in store.list():
                return OPEN if await store.is_open(file.key) else ""
    except StoreUnavailable as problem:
        return problem.detail or problem.message()
    except TimeoutError:
        return "The file storage did not answer in time."
    return ""


async def _try(store: FileStore) -> None:
    key = f"undercroft_settings_test_{random_text(8).lower()}/test/test.txt"
    facts = Facts("text/plain", hashlib.md5(_CONTENT, usedforsecurity=False).hexdigest(), "test.txt")
    with TemporaryDirectory() as folder:
        source = Path(folder) / "test.txt"
        source.write_bytes(_CONTENT)
        await store.put(key, source, facts)
    file = await store.find(key)
    found = b"".join([piece async for piece in store.read(file)]) if file else b""
    is_open = isinstance(store, RemoteStore) and await store.is_open(key)
    await store.delete([key])
    if found != _CONTENT or await store.find(key):
        raise StoreUnavailable("The file storage does not give back what it was given.")
    if is_open:
        raise StoreUnavailable(OPEN)
