"""Files in a store: put there, read back, listed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from undercroft.files.store import Facts, FileStore, StoredFile


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def facts_of(content: bytes, name: str = "Hello.txt", kind: str = "text/plain") -> Facts:
    return Facts(kind, md5(content), name)


async def keep(
    store: FileStore, folder: Path, key: str, content: bytes = b"hello", facts: Facts | None = None
) -> StoredFile | None:
    """Put content under a key; what is found there then."""
    source = folder / "source"
    source.write_bytes(content)
    await store.put(key, source, facts or facts_of(content))
    return await store.find(key)


async def read(store: FileStore, file: StoredFile, start: int = 0, stop: int | None = None) -> bytes:
    """The bytes of a file."""
    return b"".join([piece async for piece in store.read(file, start, stop)])


async def keys(store: FileStore, prefix: str = "") -> list[str]:
    """The keys that are listed, in order."""
    return sorted([file.key async for file in store.list(prefix)])
