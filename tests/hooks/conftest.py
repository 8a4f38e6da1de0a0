"""A small blog whose hooks are written down as they are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from undercroft.testing import Answer, TestClient, client

OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
AROUND = [
    *("record_create", "record_create_execute", "record_validate"),
    *("record_update", "record_update_execute", "record_delete", "record_delete_execute"),
]
AFTER = [
    *("record_created", "record_updated", "record_deleted"),
    *("record_create_failed", "record_update_failed", "record_delete_failed"),
]


def text(name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "type": "text", **options}


@dataclass
class Site:
    """The client of a backend, a superuser's token, and what its hooks wrote down."""

    around: ClassVar = AROUND
    after: ClassVar = AFTER
    client: TestClient
    root: str
    fired: list[str] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def on(self) -> Any:
        return self.client.app.on

    async def collection(self, name: str, *fields: dict[str, Any], **options: Any) -> str:
        """Make a collection that is open to all unless options say otherwise; its id."""
        body = {"name": name, "type": "base", "fields": list(fields), **OPEN, **options}
        answer = await self.client.post("/api/collections", body, as_=self.root)
        assert answer.status == 200, answer.text
        self.ids[name] = answer.json["id"]
        return answer.json["id"]

    async def create(self, collection: str, as_: str = "", /, **values: Any) -> Answer:
        return await self.client.post(f"/api/collections/{collection}/records", values, as_=as_)

    async def update(self, collection: str, record: str, as_: str = "", /, **values: Any) -> Answer:
        return await self.client.patch(f"/api/collections/{collection}/records/{record}", values, as_=as_)

    async def delete(self, collection: str, record: str, as_: str = "") -> Answer:
        return await self.client.delete(f"/api/collections/{collection}/records/{record}", as_=as_)

    async def add(self, collection: str, **values: Any) -> str:
        """Create a record, which must work; its id."""
        answer = await self.create(collection, self.root, **values)
        assert answer.status == 200, answer.text
        return answer.json["id"]

    async def titles(self, collection: str = "posts") -> list[str]:
        """The titles of what is stored."""
        found = await self.client.get(f"/api/collections/{collection}/records", as_=self.root, sort="title")
        return [item["title"] for item in found.json["items"]]

    def write_down(self, *moments: str) -> None:
        """From now on, write down when hooks of these moments are called, and when the chain comes back to them."""
        for moment in moments or (*AROUND, *AFTER):
            getattr(self.on, moment)()(self._writer(moment.removeprefix("record_"), is_around=moment in AROUND))

    def _writer(self, name: str, *, is_around: bool) -> Callable[[Any], Any]:
        async def hook(event: Any) -> None:
            label = f"{event.record['title']} {name}"
            self.fired.append(f"{label}(" if is_around else label)
            await event.next()
            if is_around:
                self.fired.append(f"){name}")

        return hook


@pytest.fixture
async def site(tmp_path, database):
    """A site with posts, whose titles are unique, and no hooks yet."""
    async with client(tmp_path / "data", database) as opened:
        made = Site(opened, await opened.superuser())
        unique = ["CREATE UNIQUE INDEX one_title ON posts (title)"]
        await made.collection("posts", text("title", required=True, max=20), text("body"), indexes=unique)
        yield made
