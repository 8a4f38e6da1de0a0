"""A small blog: authors, posts and comments, and two people who use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from undercroft.testing import Answer, TestClient, client

OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
DATES = [
    {"name": "created", "type": "autodate", "onCreate": True},
    {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True},
]


def text(name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "type": "text", **options}


@dataclass
class Blog:
    """The blog's client, and tokens of its people."""

    client: TestClient
    root: str
    ann: str = ""
    ben: str = ""
    ann_id: str = ""
    ben_id: str = ""

    async def collection(self, name: str, *fields: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Make a collection that is open to all unless options say otherwise."""
        body = {"name": name, "type": "base", "fields": list(fields), **OPEN, **options}
        answer = await self.client.post("/api/collections", body, as_=self.root)
        assert answer.status == 200, answer.text
        return answer.json

    async def change(self, name: str, **options: Any) -> Answer:
        return await self.client.patch(f"/api/collections/{name}", options, as_=self.root)

    async def add(self, collection: str, as_: str = "", /, **values: Any) -> dict[str, Any]:
        answer = await self.client.post(f"/api/collections/{collection}/records", values, as_=as_ or self.root)
        assert answer.status == 200, answer.text
        return answer.json

    async def ids(self, collection: str, as_: str = "", **query: Any) -> list[str]:
        answer = await self.list(collection, as_, **query)
        assert answer.status == 200, answer.text
        return [item["id"] for item in answer.json["items"]]

    async def list(self, collection: str, as_: str = "", **query: Any) -> Answer:
        return await self.client.get(f"/api/collections/{collection}/records", as_=as_, **query)

    async def view(self, collection: str, record_id: str, as_: str = "", **query: Any) -> Answer:
        return await self.client.get(f"/api/collections/{collection}/records/{record_id}", as_=as_, **query)

    async def create(self, collection: str, values: Any, as_: str = "", **query: Any) -> Answer:
        return await self.client.post(f"/api/collections/{collection}/records", values, as_=as_, **query)

    async def update(self, collection: str, record_id: str, values: Any, as_: str = "", **query: Any) -> Answer:
        path = f"/api/collections/{collection}/records/{record_id}"
        return await self.client.patch(path, values, as_=as_, **query)

    async def delete(self, collection: str, record_id: str, as_: str = "") -> Answer:
        return await self.client.delete(f"/api/collections/{collection}/records/{record_id}", as_=as_)


@pytest.fixture
async def blog(tmp_path, database):
    """An empty blog with two users, Ann and Ben."""
    async with client(tmp_path / "data", database) as opened:
        blog = Blog(opened, await opened.superuser())
        for name in ("ann", "ben"):
            account = {"email": f"{name}@example.com", "password": "password-1", "passwordConfirm": "password-1"}
            record = await blog.add("users", **account, name=name.title())
            setattr(blog, f"{name}_id", record["id"])
            setattr(blog, name, await opened.login("users", account["email"], account["password"]))
        yield blog
