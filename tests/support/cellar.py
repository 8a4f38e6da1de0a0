"""A wine cellar: the world in which our answers are compared with the peer's."""

from __future__ import annotations

from typing import Any

from servers import PASSWORD, Server

OPEN = {"listRule": "", "viewRule": "", "createRule": "", "updateRule": "", "deleteRule": ""}
CREATED = {"name": "created", "type": "autodate", "onCreate": True}
UPDATED = {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True}


def record_id(name: str) -> str:
    """A fixed record id that shows what it is of."""
    return name.ljust(15, "0")


def furnish(server: Server) -> None:
    """Build the whole world through the server's own API."""
    users = server.call("GET", "/api/collections/users").json()["id"]
    server.call("PATCH", "/api/collections/users", {"listRule": "verified = true", "viewRule": "id != ''"})
    regions = _make(server, "regions", OPEN, [_text("name"), _text("country")])
    wines = _make(server, "wines", OPEN, _wine_fields(users, regions))
    _make(
        server, "labels", OPEN, [_text("motto"), _relation("wine", wines)], ["CREATE UNIQUE INDEX one ON labels (wine)"]
    )
    _make(server, "tastings", _tasting_rules(), _tasting_fields(users, wines))
    _make(server, "vault", {}, [_text("key")])
    _make(server, "keepsakes", OPEN, [_text("name"), {**_relation("wine", wines), "required": True}])
    for collection, rows in _rows().items():
        for row in rows:
            answer = server.call("POST", f"/api/collections/{collection}/records", row)
            assert answer.status_code == 200, answer.text
    for name in ("anna", "bruno"):
        server.sign_in(name, "users", f"{name}@example.com")


def _make(
    server: Server, name: str, rules: dict[str, Any], fields: list[dict[str, Any]], indexes: list[str] | None = None
) -> str:
    body = {"name": name, "fields": fields, "indexes": indexes or [], **rules}
    answer = server.call("POST", "/api/collections", body)
    assert answer.status_code == 200, answer.text
    collection_id: str = answer.json()["id"]
    return collection_id


def _text(name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "type": "text", **options}


def _relation(name: str, collection: str, most: int = 1, **options: Any) -> dict[str, Any]:
    return {"name": name, "type": "relation", "collectionId": collection, "maxSelect": most, **options}


def _wine_fields(users: str, regions: str) -> list[dict[str, Any]]:
    return [
        _text("title", required=True, max=40),
        {"name": "vintage", "type": "number", "onlyInt": True, "min": 1800, "max": 2100},
        {"name": "price", "type": "number"},
        {"name": "sweet", "type": "bool"},
        {"name": "grapes", "type": "select", "maxSelect": 3, "values": ["merlot", "malbec", "riesling", "syrah"]},
        {"name": "colour", "type": "select", "maxSelect": 1, "values": ["red", "white", "rosé"]},
        _relation("region", regions),
        _relation("fans", users, 5),
        {"name": "notes", "type": "json"},
        {"name": "bottled", "type": "date"},
        {"name": "story", "type": "editor"},
        {"name": "shelf", "type": "geoPoint"},
        {"name": "contact", "type": "email", "exceptDomains": ["example.org"]},
        {"name": "shop", "type": "url"},
        _text("secret", hidden=True),
        CREATED,
        UPDATED,
    ]


def _tasting_fields(users: str, wines: str) -> list[dict[str, Any]]:
    return [
        _relation("wine", wines, cascadeDelete=True),
        _relation("taster", users),
        {"name": "score", "type": "number", "min": 0, "max": 5},
        _text("remark"),
    ]


def _tasting_rules() -> dict[str, Any]:
    own = "taster = @request.auth.id"
    return {
        "listRule": f"{own} || score >= 4",
        "viewRule": f"{own} || score >= 4",
        "createRule": f"@request.auth.id != '' && {own} && @request.body.score:isset = true",
        "updateRule": f"{own} && @request.body.taster:isset = false",
        "deleteRule": own,
    }


def _rows() -> dict[str, list[dict[str, Any]]]:
    secret = {"password": PASSWORD, "passwordConfirm": PASSWORD}
    anna, bruno, clara = record_id("anna"), record_id("bruno"), record_id("clara")
    mosel, loire = record_id("mosel"), record_id("loire")
    return {
        "users": [
            {
                "id": anna,
                "email": "anna@example.com",
                "name": "Anna",
                "verified": True,
                "emailVisibility": True,
                **secret,
            },
            {"id": bruno, "email": "bruno@example.com", "name": "Bruno", "verified": True, **secret},
            {"id": clara, "email": "clara@example.com", "name": "Clara", **secret},
        ],
        "regions": [
            {"id": mosel, "name": "Mosel", "country": "DE"},
            {"id": loire, "name": "Loire", "country": "FR"},
            {"id": record_id("douro"), "name": "Douro", "country": "PT"},
        ],
        "wines": [
            {
                "id": record_id("slate"),
                "title": "Slate",
                "vintage": 2019,
                "price": 12.5,
                "sweet": True,
                "grapes": ["riesling"],
                "colour": "white",
                "region": mosel,
                "fans": [anna, bruno],
                "notes": {"nose": ["peach", "stone"], "stars": 4},
                "bottled": "2020-03-01 10:00:00.000Z",
                "story": "<p>From <b>steep</b> slopes, picked late.</p>",
                "shelf": {"lon": 6.9, "lat": 49.9},
                "contact": "slate@example.com",
                "shop": "https://example.com/slate",
                "secret": "s1",
            },
            {
                "id": record_id("granite"),
                "title": "Granite",
                "vintage": 2021,
                "price": 30,
                "grapes": ["merlot", "malbec"],
                "colour": "red",
                "region": loire,
                "fans": [clara],
                "notes": {"nose": [], "stars": 5},
                "bottled": "2022-05-02 08:30:00.000Z",
                "shelf": {"lon": 0.7, "lat": 47.4},
                "secret": "s2",
            },
            {
                "id": record_id("chalk"),
                "title": "chalk 100%",
                "vintage": 2018,
                "price": 9,
                "sweet": False,
                "grapes": ["merlot"],
                "colour": "red",
                "region": loire,
                "notes": "plain words",
            },
            {"id": record_id("orphan"), "title": "Órphan_wine", "price": -1, "notes": 5},
        ],
        "labels": [{"id": record_id("label"), "motto": "from stone", "wine": record_id("slate")}],
        "tastings": [
            {"id": record_id("tasting1"), "wine": record_id("slate"), "taster": anna, "score": 5, "remark": "bright"},
            {"id": record_id("tasting2"), "wine": record_id("slate"), "taster": bruno, "score": 2, "remark": "thin"},
            {"id": record_id("tasting3"), "wine": record_id("granite"), "taster": bruno, "score": 4, "remark": ""},
        ],
        "vault": [{"id": record_id("key"), "key": "under the mat"}],
    }
