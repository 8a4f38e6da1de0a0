"""What is in the store of a client's backend, and what its records say is there."""

from __future__ import annotations

from undercroft.testing import TestClient


async def stored(client: TestClient) -> list[str]:
    """The keys of all files, once nothing is being cleared away any more."""
    await client.backend.filing.settle()
    return sorted([file.key async for file in client.backend.files.list()])


async def due(client: TestClient) -> list[str]:
    """What the ledger says must go, now or later."""
    await client.backend.filing.settle()
    return sorted(str(key) for (key,) in await client.backend.engine.read('SELECT "key" FROM "_files_due"'))


def waiting(client: TestClient) -> list[str]:
    """The names of the files that have arrived and wait for their record."""
    return [path.name for path in client.backend.staging.folder.rglob("*") if path.is_file()]


def keys_of(record: dict, *fields: str) -> list[str]:
    """The keys that the files of a record have."""
    folder = f"{record['collectionId']}/{record['id']}"
    values = [record[field] for field in fields]
    names = [name for value in values for name in (value if isinstance(value, list) else [value])]
    return sorted(f"{folder}/{name}" for name in names if name)
