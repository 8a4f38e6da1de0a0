"""A board of notes that several people listen to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from undercroft.testing import Answer, TestClient, client

OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
FIELDS = [
    {"name": "title", "type": "text"},
    {"name": "n", "type": "number"},
    {"name": "secret", "type": "text", "hidden": True},
    {"name": "done", "type": "bool"},
    {"name": "tags", "type": "select", "maxSelect": 3, "values": ["red", "green", "blue"]},
    {"name": "meta", "type": "json"},
    {"name": "owner", "type": "relation", "collectionId": "_pb_users_auth_", "maxSelect": 1},
]


@dataclass
class Board:
    """The client, tokens of its people, and their ids."""

    client: TestClient
    root: str
    ann: str = ""
    ben: str = ""
    ann_id: str = ""
    ben_id: str = ""

    async def add(self, collection: str = "notes", **values: Any) -> dict[str, Any]:
        return good(await self.client.post(f"/api/collections/{collection}/records", values, as_=self.root))

    async def change(self, record: dict[str, Any] | str, collection: str = "notes", **values: Any) -> dict[str, Any]:
        record_id = record if isinstance(record, str) else record["id"]
        path = f"/api/collections/{collection}/records/{record_id}"
        return good(await self.client.patch(path, values, as_=self.root))

    async def drop(self, record: dict[str, Any] | str, collection: str = "notes") -> None:
        record_id = record if isinstance(record, str) else record["id"]
        answer = await self.client.delete(f"/api/collections/{collection}/records/{record_id}", as_=self.root)
        assert answer.status == 204, answer.text

    async def collection(self, name: str, *fields: dict[str, Any], **options: Any) -> dict[str, Any]:
        body = {"name": name, "type": "base", "fields": list(fields), **OPEN, **options}
        return good(await self.client.post("/api/collections", body, as_=self.root))

    async def rules(self, collection: str = "notes", **rules: Any) -> None:
        good(await self.client.patch(f"/api/collections/{collection}", rules, as_=self.root))

    def relation(self, name: str, collection: dict[str, Any], **options: Any) -> dict[str, Any]:
        return {"name": name, "type": "relation", "collectionId": collection["id"], "maxSelect": 1, **options}


def good(answer: Answer) -> Any:
    assert answer.status == 200, answer.text
    return answer.json


@pytest.fixture
async def board(tmp_path, database):
    """An empty board that is open to all, with two users, Ann and Ben."""
    async with client(tmp_path / "data", database) as opened:
        board = Board(opened, await opened.superuser())
        await board.collection("notes", *FIELDS)
        for name in ("ann", "ben"):
            account = {"email": f"{name}@example.com", "password": "password-1", "passwordConfirm": "password-1"}
            record = await board.add("users", **account, name=name.title())
            setattr(board, f"{name}_id", record["id"])
            setattr(board, name, await opened.login("users", account["email"], account["password"]))
        yield board
