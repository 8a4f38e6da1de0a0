"""A house whose members have API keys, for the tests of these."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from undercroft import testing
from undercroft.dates import render_date
from undercroft.testing import File, TestClient

PASSWORD = "correct-horse-9"
_HOOKS = """
from undercroft import route


@route.get("/api/hello")
async def hello(request):
    return {"hello": "you"}


@route.post("/api/hello")
async def say(request):
    return {"said": "hello"}
"""


@dataclass
class House:
    """Ada, Ben and the superuser; Ada's post, with a paper, which points to a secret, with a dossier."""

    client: TestClient
    tokens: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)
    post: str = ""
    secret: str = ""
    paper: str = ""
    dossier: str = ""

    async def make(self, status: int, method: str, path: str, body: Any) -> Any:
        """What the superuser gets for a request that must be answered so."""
        answer = await self.client.request(method, path, body, as_=self.tokens["root"])
        assert answer.status == status, answer.text
        return answer.json

    async def made(self, who: str, *scopes: str, **more: str) -> Mapping[str, Any]:
        """The answer to who makes a key."""
        form = {"name": "a program", "scopes": scopes} | more
        answer = await self.client.post("/api/api-keys", form, as_=self.tokens[who])
        assert answer.status == 200, answer.text
        found: Mapping[str, Any] = answer.json
        return found

    async def key(self, who: str, *scopes: str, **more: str) -> str:
        """A new key of somebody."""
        key: str = (await self.made(who, *scopes, **more))["key"]
        return key

    async def is_nobody(self, key: str) -> bool:
        """Whether a key is a guest's: 401 where somebody is wanted, and nothing where a rule asks who it is."""
        strict = await self.client.post("/api/files/token", as_=key)
        seen = await self.client.get("/api/collections/posts/records", as_=key)
        return (strict.status, seen.json["totalItems"]) == (401, 0)

    def date_in(self, seconds: float) -> str:
        """A moment to come."""
        return render_date(datetime.fromtimestamp(time.time() + seconds, UTC))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something that comes soon."""
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)


async def open_house(client: TestClient) -> House:
    """The house, furnished."""
    house = House(client, {"root": await client.superuser()})
    role = [{"name": "role", "type": "text"}]
    members = await house.make(200, "POST", "/api/collections", {"name": "members", "type": "auth", "fields": role})
    file = {"name": "file", "type": "file", "protected": True}
    fields = [{"name": "code", "type": "text"}, {"name": "n", "type": "number"}, file]
    keeper = {"name": "keeper", "type": "relation", "collectionId": (await _superusers(house))["id"], "maxSelect": 1}
    secrets = {"name": "secrets", "type": "base", "fields": [*fields, keeper]}
    secret_id = (await house.make(200, "POST", "/api/collections", secrets))["id"]
    relations = [("secret", secret_id), ("owner", members["id"])]
    fields = [
        {"name": "title", "type": "text"},
        file,
        *({"name": name, "type": "relation", "collectionId": to, "maxSelect": 1} for name, to in relations),
    ]
    rule = "@request.auth.id != '' && owner = @request.auth.id"
    posts = {"name": "posts", "type": "base", "fields": fields, "listRule": rule, "viewRule": rule}
    await house.make(200, "POST", "/api/collections", posts)
    for name in ("ada", "ben"):
        body = {"email": f"{name}@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}
        house.ids[name] = (await house.make(200, "POST", "/api/collections/members/records", body))["id"]
        house.tokens[name] = await client.login("members", body["email"], PASSWORD)
    found = await client.get("/api/collections/_superusers/records", as_=house.tokens["root"])
    house.ids["root"] = found.json["items"][0]["id"]
    house.secret, house.dossier = await _add(house, "secrets", {"code": "007", "n": 7})
    values = {"title": "by Ada", "owner": house.ids["ada"], "secret": house.secret}
    house.post, house.paper = await _add(house, "posts", values)
    return house


async def _superusers(house: House) -> Any:
    return (await house.client.get("/api/collections/_superusers", as_=house.tokens["root"])).json


async def _add(house: House, name: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """The id of a new record, and where its file is."""
    form = {**values, "file": File("paper.txt", b"paper")}
    path = f"/api/collections/{name}/records"
    answer = await house.client.post(path, form=form, as_=house.tokens["root"])
    assert answer.status == 200, answer.text
    return answer.json["id"], f"{name}/{answer.json['id']}/{answer.json['file']}"


@asynccontextmanager
async def open_site(folder: Path, database: str) -> AsyncIterator[tuple[TestClient, dict[str, str]]]:
    """A site with a page and routes of its own, and keys of its superuser by their scopes."""
    for path, text in (("hooks/hello.py", _HOOKS), ("pages/about.html", "about")):
        (folder / path).parent.mkdir()
        (folder / path).write_text(text)
    async with testing.client(folder / "data", database, site=folder) as client:
        house = House(client, {"root": await client.superuser()})
        yield client, {scope: await house.key("root", scope) for scope in ("*", "read", "users:read")}
