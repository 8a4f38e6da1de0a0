"""A site of a few files over a glossary: terms that everybody may read once they are published."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from undercroft import testing
from undercroft.pages.options import SiteOptions
from undercroft.testing import Answer, TestClient

PUBLISHED = "published != '' || (author != '' && author = @request.auth.id)"
TERMS = {
    "name": "terms",
    "type": "base",
    "listRule": PUBLISHED,
    "viewRule": PUBLISHED,
    "createRule": "@request.auth.id != '' && author = @request.auth.id",
    "updateRule": "author = @request.auth.id",
    "deleteRule": "author = @request.auth.id",
    "fields": [
        {"name": "title", "type": "text", "required": True, "max": 60},
        {"name": "slug", "type": "text"},
        {"name": "body", "type": "editor"},
        {"name": "rank", "type": "number"},
        {"name": "tags", "type": "select", "maxSelect": 3, "values": ["api", "data", "web"]},
        {"name": "published", "type": "date"},
        {"name": "author", "type": "relation", "collectionId": "_pb_users_auth_", "maxSelect": 1},
        {"name": "note", "type": "text", "hidden": True},
        {"name": "meta", "type": "json"},
        {"name": "created", "type": "autodate", "onCreate": True},
    ],
}
WHEN = "2026-03-04 05:06:07.000Z"


@dataclass
class World:
    """A site that is served, and the people who use it."""

    client: TestClient
    folder: Path
    root: str = ""
    ada: str = ""
    ada_id: str = ""

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.client.get(path, **options)

    async def shown(self, path: str, **options: Any) -> str:
        """The text of a page that is there."""
        answer = await self.client.get(path, **options)
        assert answer.status == 200, answer.text
        return answer.text

    def write(self, files: dict[str, str]) -> None:
        """Put files into the folder of the site."""
        write_files(self.folder, files)

    async def furnish(self) -> None:
        """Make the glossary: a root, a user called Ada, and an empty collection of terms."""
        self.root = await self.client.superuser()
        account = {"email": "ada@example.com", "password": "stone-and-sea-7", "passwordConfirm": "stone-and-sea-7"}
        made = await self.client.post("/api/collections/users/records", {**account, "name": "Ada"})
        self.ada_id = made.json["id"]
        self.ada = await self.client.login("users", "ada@example.com", "stone-and-sea-7")
        answer = await self.client.post("/api/collections", TERMS, as_=self.root)
        assert answer.status == 200, answer.text

    async def add(self, collection: str = "terms", **values: Any) -> dict[str, Any]:
        """A record, by default a published term."""
        body = {"published": WHEN, **values} if collection == "terms" else values
        answer = await self.client.post(f"/api/collections/{collection}/records", body, as_=self.root)
        assert answer.status == 200, answer.text
        made: dict[str, Any] = answer.json
        return made


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Text files by their paths."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
async def serve(tmp_path, database):
    """Serves a site of these files, by their paths from its folder, on both engines."""
    async with AsyncExitStack() as stack:

        async def start(files: dict[str, str], *, is_furnished: bool = True, **options: Any) -> World:
            folder = tmp_path / "site"
            folder.mkdir()
            write_files(folder, files)
            site = SiteOptions(folder / "pages", folder / "public", **options)
            client = await stack.enter_async_context(testing.client(tmp_path / "data", database, site=site))
            world = World(client, folder)
            if is_furnished:
                await world.furnish()
            return world

        yield start


@pytest.fixture
async def serve_files(tmp_path):
    """Serves a site that has nothing to do with records, on SQLite."""
    async with AsyncExitStack() as stack:

        async def start(files: dict[str, str], **options: Any) -> World:
            folder = tmp_path / "site"
            folder.mkdir()
            write_files(folder, files)
            site = SiteOptions(folder / "pages", folder / "public", **options)
            client = await stack.enter_async_context(testing.client(tmp_path / "data", site=site))
            return World(client, folder)

        yield start
