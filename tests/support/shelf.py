"""A collection with files to ask for: one that all may have, and one that only its owner may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from undercroft.testing import Answer, File, TestClient

TEXT = b"0123456789"
FIELDS = [
    {"name": "title", "type": "text"},
    {"name": "open", "type": "file", "maxSize": 100 << 20},
    {"name": "many", "type": "file", "maxSelect": 9},
    {"name": "veiled", "type": "file", "hidden": True},
    {"name": "secret", "type": "file", "protected": True},
    {"name": "owner", "type": "relation", "collectionId": "_pb_users_auth_"},
]


@dataclass(frozen=True)
class Shelf:
    """A record of the collection `shelf`, and where its files are served."""

    client: TestClient
    record: dict[str, Any]

    def path(self, field: str, collection: str = "shelf") -> str:
        """The path of the file, or of the first file, in a field."""
        value = self.record[field]
        return f"/api/files/{collection}/{self.record['id']}/{value if isinstance(value, str) else value[0]}"

    async def get(self, field: str = "open", **options: Any) -> Answer:
        """The answer to a GET for the file in a field."""
        return await self.client.get(self.path(field), **options)

    async def head(self, field: str = "open", **options: Any) -> Answer:
        """The answer to a HEAD for the file in a field."""
        return await self.client.request("HEAD", self.path(field), **options)


async def make_shelf(client: TestClient, rule: str | None = "", **options: Any) -> str:
    """Make the collection with a view rule; the token of the superuser who did."""
    root = await client.superuser()
    made = {"id": "shelf0000000000", "name": "shelf", "viewRule": rule, "createRule": "", "fields": FIELDS, **options}
    answer = await client.post("/api/collections", made, as_=root)
    assert answer.status == 200, answer.text
    return root


async def put(client: TestClient, **form: Any) -> Shelf:
    """Put a record on the shelf, with the text in the field `open` unless the form says otherwise."""
    answer = await client.post("/api/collections/shelf/records", form={"open": File("ten.txt", TEXT)} | form)
    assert answer.status == 200, answer.text
    return Shelf(client, answer.json)


async def sign_up(client: TestClient, root: str, name: str) -> tuple[str, str]:
    """A new account: its id and its token."""
    password = "correct-horse-9"
    body = {"email": f"{name}@example.com", "password": password, "passwordConfirm": password}
    made = await client.post("/api/collections/users/records", body, as_=root)
    return made.json["id"], await client.login("users", body["email"], password)


async def file_token(client: TestClient, token: str) -> str:
    """The token for files that the owner of a token gets."""
    answer = await client.post("/api/files/token", as_=token)
    assert answer.status == 200, answer.text
    issued: str = answer.json["token"]
    return issued
