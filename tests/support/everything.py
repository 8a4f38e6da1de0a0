"""Collections that have every type of field, and records with values that are hard to carry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.casts import as_number
from undercroft.database.engine import Engine, Transaction, Value
from undercroft.dates import render_date
from undercroft.records.cipher import stored_columns
from undercroft.testing import TestClient

OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
KINDS = ["sea", "city", "été", "a,b", 'quote"d', "日本"]
THINGS = {
    "id": "things000000000",
    "name": "things",
    **OPEN,
    "fields": [
        {"name": "text", "type": "text", "max": 100_000},
        {"name": "code", "type": "text"},
        {"name": "editor", "type": "editor"},
        {"name": "number", "type": "number"},
        {"name": "bool", "type": "bool"},
        {"name": "email", "type": "email"},
        {"name": "url", "type": "url"},
        {"name": "date", "type": "date"},
        {"name": "one", "type": "select", "maxSelect": 1, "values": KINDS},
        {"name": "many", "type": "select", "maxSelect": 6, "values": KINDS},
        {"name": "file", "type": "file", "maxSelect": 1},
        {"name": "files", "type": "file", "maxSelect": 5},
        {"name": "owner", "type": "relation", "collectionId": "owners000000000", "maxSelect": 1},
        {"name": "parents", "type": "relation", "collectionId": "things000000000", "maxSelect": 9},
        {"name": "json", "type": "json"},
        {"name": "secret", "type": "password"},
        {"name": "place", "type": "geoPoint"},
        {"name": "Order", "type": "number"},
        {"name": "created", "type": "autodate", "onCreate": True},
        {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True},
    ],
    "indexes": [
        "CREATE UNIQUE INDEX codes ON things (code) WHERE code != ''",
        "CREATE INDEX by_date ON things (`date` DESC, number)",
        "CREATE INDEX by_email ON things (email COLLATE NOCASE)",
    ],
}
OWNERS = {
    "id": "owners000000000",
    "name": "owners",
    "type": "auth",
    **OPEN,
    "listRule": "id = @request.auth.id",
    "fields": [{"name": "name", "type": "text"}],
}
TITLES = {"name": "titles", "type": "view", "viewQuery": "SELECT id, text, number FROM things"}
COUNTS = {
    "name": "counts",
    "type": "view",
    "viewQuery": "SELECT owner AS id, count(*) AS many FROM things WHERE owner != '' GROUP BY owner",
}
_TEXTS = ["", " ", "a", "Ünïcode", "日本語", "😀 family 👨‍👩‍👧", "line\nbreak\ttab", "quote's \"two\" `three`", "\\u0041 \\n",
          "%_like", "NULL", "0", "1.0", "true", "{}", "[1]", "\x7f\x01", "\0", "a\0\1\2b", "é", "e\u0301", "ß", "İ", "\u200b", "\ufeff", "$1 ?"]  # fmt: skip
_NUMBERS = [0, 1, -1, 0.1, -0.5, 1e21, 1.7976931348623157e308, 5e-324, 2**53, -(2**53), 1e15, 123456.789, 1 / 3, 1e18]
_DATES = [
    "",
    "0001-01-01 00:00:00.000Z",
    "9999-12-31 23:59:59.999Z",
    "1969-12-31 23:59:59.999Z",
    "2024-02-29 12:00:00.120Z",
]


async def make_collections(client: TestClient) -> None:
    """Make the collections through the API."""
    root = await client.superuser()
    for body in (OWNERS, THINGS, TITLES, COUNTS):
        answer = await client.post("/api/collections", body, as_=root)
        assert answer.status == 200, answer.text


async def add_records(client: TestClient, count: int, seed: int) -> None:
    """Put so many things, and a tenth as many owners, into their tables."""
    chance = Random(seed)
    catalog = client.app.backend.catalog
    engine = client.app.backend.engine
    owners = [f"owner{number:010}" for number in range(max(1, count // 10))]
    things = [f"thing{number:010}" for number in chance.sample(range(10**9), count)]
    await _insert(engine, catalog.collection("owners"), (_owner(chance, name) for name in owners))
    made = (_thing(chance, number, name, owners, things) for number, name in enumerate(things))
    await _insert(engine, catalog.collection("things"), made)


def _owner(chance: Random, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "email": f"{name}@example.com",
        "password": "$argon2id$v=19$m=19456,t=2,p=1$" + _letters(chance, 60),
        "tokenKey": _letters(chance, 50),
        "emailVisibility": chance.random() < 0.5,
        "verified": chance.random() < 0.5,
        "name": _text(chance),
    }


def _thing(chance: Random, number: int, name: str, owners: list[str], things: list[str]) -> dict[str, Any]:
    moment = _date(chance)
    return {
        "id": name,
        "text": _text(chance),
        "code": f"Code {number}" if number % 3 else "",
        "editor": f"<p>{_text(chance)}</p>" * chance.randrange(3),
        "number": _number(chance),
        "bool": chance.random() < 0.5,
        "email": f"{_letters(chance, 8)}@Example.com" if chance.random() < 0.5 else "",
        "url": f"https://example.com/{_letters(chance, 5)}?q=é" if chance.random() < 0.5 else "",
        "date": _date(chance),
        "one": chance.choice(["", *KINDS]),
        "many": chance.sample(KINDS, chance.randrange(4)),
        "file": f"photo_{_letters(chance, 10)}.jpg" if chance.random() < 0.3 else "",
        "files": [f"page_{_letters(chance, 10)}.pdf" for _ in range(chance.randrange(3))],
        "owner": chance.choice(["", *owners[:50]]),
        "parents": chance.sample(things, min(chance.randrange(3), len(things))),
        "json": _json(chance, 3),
        "secret": "$2b$10$" + _letters(chance, 53),
        "place": {"lon": _degrees(chance, 180), "lat": _degrees(chance, 90)},
        "Order": number,
        "created": moment,
        "updated": moment,
    }


def _degrees(chance: Random, most: int) -> int | float:
    """As a stored point has it: a whole number without a fraction."""
    return as_number(round(chance.uniform(-most, most), 6))


def _text(chance: Random) -> str:
    kind = chance.random()
    if kind < 0.5:
        return chance.choice(_TEXTS)
    if kind < 0.99:
        return " ".join(_letters(chance, chance.randrange(1, 9)) for _ in range(chance.randrange(1, 9)))
    return _letters(chance, 5000)


def _number(chance: Random) -> float:
    return chance.choice([chance.choice(_NUMBERS), chance.randrange(-1000, 1000), chance.uniform(-1e6, 1e6)])


def _date(chance: Random) -> str:
    if chance.random() < 0.3:
        return chance.choice(_DATES)
    return render_date(datetime(2000, 1, 1, tzinfo=UTC) + timedelta(milliseconds=chance.randrange(10**12)))


def _json(chance: Random, depth: int) -> Any:
    kind = chance.randrange(8 if depth else 6)
    if kind < 2:
        return chance.choice([None, True, False, "", 0, "null"])
    if kind < 4:
        return chance.choice(_TEXTS)
    if kind < 6:
        return _number(chance)
    if kind == 6:
        return [_json(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {chance.choice(_TEXTS) or "key": _json(chance, depth - 1) for _ in range(chance.randrange(4))}


def _letters(chance: Random, count: int) -> str:
    return "".join(chance.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=count))


def _stored(field: Field, value: Any) -> Value:
    return field.to_column(field.cast(value) if field.type == "json" else value)


async def _insert(engine: Engine, collection: Collection, records: Iterator[dict[str, Any]]) -> None:
    dialect, fields = engine.dialect, collection.fields
    names = ", ".join(dialect.quote(column.name) for column in collection.columns)
    places = ", ".join(dialect.placeholder(number + 1) for number in range(len(collection.columns)))
    sql = f"INSERT INTO {dialect.quote(collection.name)} ({names}) VALUES ({places})"
    plain = ({field.name: _stored(field, record.get(field.name, field.zero)) for field in fields} for record in records)
    rows = [list(stored_columns(collection, str(values["id"]), values).values()) for values in plain]

    for start in range(0, len(rows), 1000):

        async def add(tx: Transaction, start: int = start) -> None:
            for row in rows[start : start + 1000]:
                await tx.run(sql, row)

        await engine.write(add)
