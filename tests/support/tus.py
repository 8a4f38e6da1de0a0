"""The upload protocol, spoken by hand."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any

from undercroft.testing import Answer, TestClient, _make_scope

TUS = {"tus-resumable": "1.0.0"}
PIECE = TUS | {"content-type": "application/offset+octet-stream"}


def encode_metadata(metadata: dict[str, str]) -> str:
    """Upload-Metadata for texts by key."""
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in metadata.items())


async def begin(
    client: TestClient, size: int, as_: str = "", headers: dict[str, str] | None = None, **metadata: str
) -> Answer:
    """POST /api/uploads."""
    told = TUS | {"upload-length": str(size)} | (headers or {})
    if metadata:
        told["upload-metadata"] = encode_metadata(metadata)
    return await client.post("/api/uploads", headers=told, as_=as_)


async def send(  # noqa: PLR0917 - a piece has that many parts
    client: TestClient, place: str, offset: int, body: bytes, as_: str = "", headers: dict[str, str] | None = None
) -> Answer:
    """PATCH a piece."""
    told = PIECE | {"upload-offset": str(offset)} | (headers or {})
    return await client.patch(place, body=body, headers=told, as_=as_)


async def look(client: TestClient, place: str, as_: str = "") -> Answer:
    """HEAD an upload."""
    return await client.request("HEAD", place, headers=TUS, as_=as_)


async def offset_of(client: TestClient, place: str, as_: str = "") -> int:
    """Where an upload goes on."""
    answer = await look(client, place, as_)
    assert answer.status == 200, answer.status
    return int(answer.headers["upload-offset"])


async def upload(client: TestClient, content: bytes, as_: str = "", **metadata: str) -> str:
    """A whole upload; its id."""
    begun = await begin(client, len(content), as_, **metadata)
    assert begun.status == 201, begun.text
    place = begun.headers["location"]
    if content:
        assert (await send(client, place, 0, content, as_)).status == 204
    return place.rpartition("/")[2]


def file_field(name: str = "doc", **options: Any) -> dict[str, Any]:
    """A file field as a definition has it."""
    return {"name": name, "type": "file"} | options


class Feeding:
    """A PATCH whose body comes when the test says so; `answer` is a task."""

    def __init__(self, client: TestClient, place: str, offset: int, headers: dict[str, str] | None = None) -> None:
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        told = PIECE | {"host": "testserver", "upload-offset": str(offset), "transfer-encoding": "chunked"}
        scope = _make_scope("PATCH", place, "", told | (headers or {}))
        self.answer = asyncio.create_task(self._call(client, scope))

    def feed(self, body: bytes) -> None:
        """The next bytes arrive."""
        self._messages.put_nowait({"type": "http.request", "body": body, "more_body": True})

    async def end(self) -> Answer:
        """The body is over."""
        self._messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        return await self.answer

    async def cut(self) -> Answer:
        """The client is gone."""
        self._messages.put_nowait({"type": "http.disconnect"})
        return await self.answer

    async def _call(self, client: TestClient, scope: dict[str, Any]) -> Answer:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await client.app(scope, self._messages.get, send)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], headers, sent[1]["body"], scope.get("undercroft.error", ""))
