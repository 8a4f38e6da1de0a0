"""A collection whose files are stored encrypted, and ways to see and to touch what is really stored."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from undercroft.files.sealed_rows import SealedRow, find_rows
from undercroft.files.store import Facts
from undercroft.files.versions import Version
from undercroft.testing import Answer, File, TestClient

LARGEST = 100 << 20
FIELDS = [
    {"name": "title", "type": "text"},
    {"name": "doc", "type": "file", "maxSize": LARGEST, "encrypted": True},
    {"name": "docs", "type": "file", "maxSelect": 9, "encrypted": True},
    {"name": "photo", "type": "file", "thumbs": ["40x20"], "maxSize": LARGEST, "encrypted": True},
    {"name": "covert", "type": "file", "encrypted": {"hideNames": True}},
    {"name": "plain", "type": "file", "maxSize": LARGEST},
]
RULES = dict.fromkeys(("listRule", "viewRule", "createRule", "updateRule", "deleteRule"), "")
VAULT = {"id": "vault0000000000", "name": "vault", "fields": FIELDS, **RULES}
RECORDS = "/api/collections/vault/records"


@dataclass(frozen=True)
class Kept:
    """A record of the vault."""

    client: TestClient
    record: dict[str, Any]

    @property
    def id(self) -> str:
        """The id of the record."""
        return str(self.record["id"])

    def name(self, field: str = "doc") -> str:
        """The name of the file, or of the first file, in a field."""
        value = self.record[field]
        return value if isinstance(value, str) else str(value[0])

    def path(self, field: str = "doc") -> str:
        """Where a file is served."""
        return f"/api/files/vault/{self.id}/{self.name(field)}"

    def key(self, field: str = "doc") -> str:
        """The key of a file."""
        return f"{VAULT['id']}/{self.id}/{self.name(field)}"

    async def get(self, field: str = "doc", **options: Any) -> Answer:
        """The answer to a GET for a file."""
        return await self.client.get(self.path(field), **options)

    async def row(self, field: str = "doc") -> SealedRow | None:
        """What the database says of a file that is encrypted."""
        engine, key = self.client.backend.engine, self.key(field)
        return (await find_rows(engine.read, engine.dialect, [key])).get(key)

    async def stored_key(self, field: str = "doc") -> str:
        """The key under which the store has the bytes of a file."""
        row = await self.row(field)
        return Version(self.key(field), row.version if row is not None else None).stored_key


async def make_vault(client: TestClient, **options: Any) -> str:
    """Make the collection; the token of the superuser who did."""
    root = await client.superuser()
    answer = await client.post("/api/collections", VAULT | options, as_=root)
    assert answer.status == 200, answer.text
    return root


async def put(client: TestClient, **form: Any) -> Kept:
    """Put files into the vault: their content, or a `File`, by field."""
    files = {name: File(f"{name}.bin", value) if isinstance(value, bytes) else value for name, value in form.items()}
    answer = await client.post(RECORDS, form=files)
    assert answer.status == 200, answer.text
    return Kept(client, answer.json)


async def stored_bytes(client: TestClient, key: str) -> bytes:
    """What the store has under a key."""
    store = client.backend.files.inner
    file = await store.find(key)
    assert file is not None, key
    return b"".join([piece async for piece in store.read(file)])


async def store_bytes(client: TestClient, folder: Path, key: str, content: bytes) -> None:
    """Have the store keep something else under a key, with a checksum that is right for it."""
    source = folder / "altered"
    source.write_bytes(content)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    await client.backend.files.inner.put(key, source, Facts("text/html", md5, "altered.html"))


async def everything_stored(client: TestClient) -> list[tuple[str, bytes]]:
    """All that is in the store, thumbs included, by key."""
    keys = [file.key async for file in client.backend.files.inner.list()]
    return [(key, await stored_bytes(client, key)) for key in keys]
