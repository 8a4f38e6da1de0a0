"""The floor: what the same answers cost when everything is written by hand.

An ASGI function under granian, SQL text by hand, apsw, one connection to read and
one to write, no rules, no validation. Nobody would write an application this way;
it says how much of a request is the server, the database and the JSON.

    python benchmarks/bare.py load data.db world.json
    python benchmarks/bare.py serve data.db 8090
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import apsw
import msgspec
from granian import Granian
from granian.constants import Interfaces

COLUMNS = [
    "id",
    "title",
    "body",
    "byline",
    "views",
    "published",
    "tags",
    "kind",
    "author",
    "owner",
    "created",
    "updated",
]
TABLE = (
    "id TEXT PRIMARY KEY, title, body, byline, views INT, published INT, tags, kind, author, owner, created, updated"
)
SECRET = b"a benchmark has nothing to hide"
FILTER = re.compile(r"\(views>(\d+)&&published=true&&title~'(\w+)'\)")
SORTS = {"-created": "created DESC", "-views": "views DESC", "-id": "id DESC"}
encode = msgspec.json.encode
Message = dict[str, Any]


def connect(path: str) -> apsw.Connection:
    connection = apsw.Connection(path)
    connection.setbusytimeout(5000)
    connection.execute("PRAGMA journal_mode = wal; PRAGMA synchronous = full")
    return connection


def load(path: str, source: str) -> None:
    """Fill a new file; prints the token of the first user."""
    with open(source, encoding="utf-8") as file:
        world = json.load(file)
    connection = connect(path)
    connection.execute(
        f"CREATE TABLE authors (id TEXT PRIMARY KEY, name); CREATE TABLE users (id TEXT PRIMARY KEY, email);"
        f"CREATE TABLE articles ({TABLE}); CREATE TABLE notes ({TABLE});"
        "CREATE INDEX a1 ON articles (created); CREATE INDEX a2 ON articles (views);"
        "CREATE INDEX n1 ON notes (owner, published, id)"
    )
    with connection:
        for name, rows in world.items():
            marks = ", ".join("?" * (len(COLUMNS) if name in {"articles", "notes"} else 2))
            connection.executemany(f"INSERT INTO {name} VALUES ({marks})", [_values(row) for row in rows])
    user = world["users"][0]["id"]
    print(f"{user}.{_sign(user)}")


def _values(row: dict[str, Any]) -> list[Any]:
    if "title" not in row:
        return list(row.values())
    moment = _now()
    full = {"byline": "", "body": "", "author": "", "owner": "", **row, "created": moment, "updated": moment}
    return [json.dumps(full[name]) if name == "tags" else full[name] for name in COLUMNS]


def _record(row: tuple[Any, ...], collection: str) -> dict[str, Any]:
    record = dict(zip(COLUMNS, row, strict=True))
    record["tags"] = msgspec.Raw(record["tags"].encode())
    record["published"] = bool(record["published"])
    record["collectionId"] = record["collectionName"] = collection
    return record


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"


def _sign(user: str) -> str:
    return hmac.new(SECRET, user.encode(), hashlib.sha256).hexdigest()


class Bare:
    """The ASGI application."""

    def __init__(self, path: str) -> None:
        self.reader = connect(path)
        self.writer = connect(path)

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
        if scope["type"] == "http":
            body = await self.answer(scope, receive)
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    async def answer(self, scope: Message, receive: Callable[[], Awaitable[Message]]) -> bytes:
        parts = scope["path"].split("/")
        if scope["method"] == "GET":
            if len(parts) == 6:
                return encode(self.view(parts[5]))
            return encode(self.page(parts[3], scope)) if len(parts) == 5 else b"{}"
        body = msgspec.json.decode((await receive())["body"])
        return encode(self.update(parts[5], body) if scope["method"] == "PATCH" else self.create(body))

    def view(self, record_id: str) -> Any:
        row = next(self.reader.execute("SELECT * FROM articles WHERE id = ?", (record_id,)))
        return _record(row, "articles")

    def page(self, collection: str, scope: Message) -> Any:
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        where, values = self.condition(collection, query, dict(scope["headers"]))
        size = int(query["perPage"])
        order = SORTS[query["sort"]]
        sql = f"SELECT * FROM {collection} WHERE {where} ORDER BY {order} LIMIT {size}"
        items = [_record(row, collection) for row in self.reader.execute(sql, values)]
        if "expand" in query:
            self.expand(items)
        total = -1
        if "skipTotal" not in query:
            total = next(self.reader.execute(f"SELECT count(*) FROM {collection} WHERE {where}", values))[0]
        return {"items": items, "page": 1, "perPage": size, "totalItems": total, "totalPages": -(-total // size)}

    def condition(
        self, collection: str, query: dict[str, str], headers: dict[bytes, bytes]
    ) -> tuple[str, tuple[Any, ...]]:
        if collection == "notes":
            user, _, signature = headers[b"authorization"].decode().partition(".")
            known = hmac.compare_digest(signature, _sign(user))
            return "owner = ? AND published = 1", (user if known else "",)
        if found := FILTER.fullmatch(query.get("filter", "")):
            return "views > ? AND published = 1 AND title LIKE ?", (int(found[1]), f"%{found[2]}%")
        return "1", ()

    def expand(self, items: list[dict[str, Any]]) -> None:
        ids = json.dumps([item["author"] for item in items])
        sql = "SELECT id, name FROM authors WHERE id IN (SELECT value FROM json_each(?))"
        authors = {key: {"id": key, "name": name} for key, name in self.reader.execute(sql, (ids,))}
        for item in items:
            item["expand"] = {"author": authors[item["author"]]}

    def create(self, body: dict[str, Any]) -> Any:
        values = _values({"id": secrets.token_hex(8)[:15], **body})
        self.writer.execute(f"INSERT INTO articles VALUES ({', '.join('?' * len(COLUMNS))})", values)
        return _record(tuple(values), "articles")

    def update(self, record_id: str, body: dict[str, Any]) -> Any:
        sql = "UPDATE articles SET views = views + ?, updated = ? WHERE id = ? RETURNING *"
        row = next(self.writer.execute(sql, (body["views+"], _now(), record_id)))
        return _record(row, "articles")


def serve(path: str, port: int) -> None:
    os.environ["BARE_DATABASE"] = path
    server = Granian(
        "bare:make", address="127.0.0.1", port=port, interface=Interfaces.ASGI, factory=True, log_enabled=False
    )
    server.serve()


def make() -> Bare:
    return Bare(os.environ["BARE_DATABASE"])


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))
    os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))
    if sys.argv[1] == "load":
        load(sys.argv[2], sys.argv[3])
    else:
        serve(sys.argv[2], int(sys.argv[3]))
