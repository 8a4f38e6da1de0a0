"""Writes do what the peer's do: values, modifiers, rules, errors, cascades, batches."""

from __future__ import annotations

import pytest
from cellar import record_id

from peer import Case, ask, settle

WINES = "/wines/records"


def create(what, /, caller="guest", collection="wines", **body):
    body.setdefault("id", record_id(what.replace(" ", "")[:15]))
    return Case(what, f"/{collection}/records", {}, "POST", body, caller)


def change(what, /, caller="guest", **body):
    """A change of a wine that was made for it."""
    first = create(what, title="Before", grapes=["merlot", "syrah"], price=10, region=record_id("mosel"), sweet=True)
    return Case(what, f"{WINES}/{first.body['id']}", {}, "PATCH", body, caller, (first,))


def remove(name, path, caller="guest", before=()):
    return Case(name, path, {}, "DELETE", None, caller, before)


CREATES = [
    create("bare", title="Bare"),
    create(
        "full",
        title="Full",
        vintage=2000,
        price=1.5,
        sweet=True,
        grapes=["syrah"],
        colour="rosé",
        notes={"b": 1, "a": [2]},
    ),
    create(
        "coerced",
        title=5,
        vintage="1999",
        price="1e2",
        sweet="true",
        grapes="merlot",
        notes="[1, 2]",
        shelf='{"lon":1,"lat":2}',
    ),
    create("nonsense", title="N", price="abc", sweet="yes", bottled="soon", shelf="1.5", grapes={}, notes="[1"),
    create("day", title="D", bottled="2024-02-29"),
    create("zone", title="Z", bottled="2024-02-29T12:00:00.5+02:00"),
    create("no title"),
    create("long title", title="x" * 41),
    create("vintage with a fraction", title="V", vintage=1999.5),
    create("vintage too low", title="V", vintage=1700),
    create("unknown grape", title="G", grapes=["gamay"]),
    create("too many grapes", title="G", grapes=["merlot", "malbec", "riesling", "syrah"]),
    create("missing region", title="R", region="nowhere00000000"),
    create("two of one", title="T", colour=["red", "white"], region=[record_id("mosel"), record_id("loire")]),
    create("mail domain", title="M", contact="someone@example.org"),
    create("no mail", title="M", contact="nobody"),
    create("no url", title="U", shop="foo"),
    create("out of the world", title="W", shelf={"lon": 200, "lat": 0}),
    create("not a number", title="N", price="NaN"),
    create("many wrongs", vintage=3000, grapes=["gamay"], contact="x"),
    create("short id", id="short", title="I"),
    create("taken id", id=record_id("slate"), title="I"),
    create("unknown keys", title="K", nothing=1, TITLE="L", collectionId="x", created="2000-01-01"),
    create("hidden by guest", title="H", secret="mine"),
    create("hidden by root", "root", title="H", secret="mine"),
    create("second label", collection="labels", motto="again", wine=record_id("slate")),
    create("tasting by guest", collection="tastings", wine=record_id("slate"), score=1),
    create("own tasting", "anna", "tastings", wine=record_id("slate"), taster=record_id("anna"), score=1),
    create("tasting for another", "anna", "tastings", wine=record_id("slate"), taster=record_id("bruno"), score=1),
    create("tasting unscored", "anna", "tastings", wine=record_id("slate"), taster=record_id("anna")),
    create("vault by guest", collection="vault", key="x"),
    create(
        "account",
        collection="users",
        email="dora@example.com",
        password="long-enough-1",
        passwordConfirm="long-enough-1",
    ),
    create("account without confirmation", collection="users", email="e@example.com", password="long-enough-1"),
    create(
        "account with a short password",
        collection="users",
        email="f@example.com",
        password="short",
        passwordConfirm="short",
    ),
    create(
        "account verified by itself",
        collection="users",
        email="g@example.com",
        password="long-enough-1",
        passwordConfirm="long-enough-1",
        verified=True,
    ),
    create(
        "address that is taken",
        collection="users",
        email="anna@example.com",
        password="long-enough-1",
        passwordConfirm="long-enough-1",
    ),
    Case("no object", WINES, {}, "POST", [1]),
    Case("nowhere", "/nowhere/records", {}, "POST", {}),
    Case(
        "created and expanded",
        WINES,
        {"expand": "region", "fields": "title,expand.region.name"},
        "POST",
        {"title": "E", "region": record_id("loire")},
    ),
]
CHANGES = [
    change("nothing"),
    change("title", title="After"),
    change("empty title", title=""),
    change("plus", **{"price+": 2.5}),
    change("minus", **{"price-": 12}),
    change("plain and plus", **{"price": 1, "price+": 1}),
    change("append", **{"grapes+": ["malbec", "merlot"]}),
    change("prepend", **{"+grapes": "malbec"}),
    change("take away", **{"grapes-": ["merlot"]}),
    change("append to one", **{"region+": record_id("loire")}),
    change("prepend to one", **{"+region": record_id("loire")}),
    change("take from one", **{"region-": record_id("mosel")}),
    change("modifier of text", **{"title+": "x"}),
    change("other id", id="other0000000000"),
    change("null for all", title=None, price=None, sweet=None, grapes=None, notes=None),
    Case("tasting of another", f"/tastings/records/{record_id('tasting2')}", {}, "PATCH", {"score": 3}, "anna"),
    Case(
        "own tasting moved",
        f"/tastings/records/{record_id('tasting2')}",
        {},
        "PATCH",
        {"taster": record_id("anna")},
        "bruno",
    ),
    Case("own score", f"/tastings/records/{record_id('tasting2')}", {}, "PATCH", {"score": 3}, "bruno"),
    Case("missing record", f"{WINES}/{record_id('missing')}", {}, "PATCH", {"title": "x"}),
    Case("vault", f"/vault/records/{record_id('key')}", {}, "PATCH", {"key": "x"}),
    Case(
        "own password without the old one",
        f"/users/records/{record_id('anna')}",
        {},
        "PATCH",
        {"password": "new-password-1", "passwordConfirm": "new-password-1"},
        "anna",
    ),
    Case("own address", f"/users/records/{record_id('anna')}", {}, "PATCH", {"email": "new@example.com"}, "anna"),
]
LOST, KEPT = create("lost wine", title="Lost"), create("kept wine", title="Kept")
CASCADE = create("its tasting", "root", "tastings", wine=LOST.body["id"], score=5)
KEEPSAKE = create("its keepsake", collection="keepsakes", name="cork", wine=KEPT.body["id"])
LABEL = create("its label", collection="labels", motto="m", wine=LOST.body["id"])
REMOVALS = [
    remove("missing", f"{WINES}/{record_id('missing')}"),
    remove("by guest", f"/vault/records/{record_id('key')}"),
    remove("of another", f"/tastings/records/{record_id('tasting3')}", "anna"),
    remove("with those that hang on it", f"{WINES}/{LOST.body['id']}", before=(LOST, CASCADE, LABEL)),
    Case("what hung on it", f"/tastings/records/{CASCADE.body['id']}", caller="root"),
    Case("what pointed to it", f"/labels/records/{LABEL.body['id']}"),
    remove("that something needs", f"{WINES}/{KEPT.body['id']}", before=(KEPT, KEEPSAKE)),
    Case("what was needed", f"{WINES}/{KEPT.body['id']}", {"fields": "id,title"}),
]
SIGN_IN = [
    Case(name, f"/{collection}/auth-with-password", {"fields": "record.id,record.email,token"}, "POST", body)
    for name, collection, body in (
        ("right password", "users", {"identity": "bruno@example.com", "password": "correct-horse-9"}),
        ("wrong password", "users", {"identity": "bruno@example.com", "password": "wrong"}),
        ("unknown account", "users", {"identity": "nobody@example.com", "password": "wrong"}),
        ("nothing at all", "users", {}),
        ("not an account collection", "wines", {"identity": "x", "password": "y"}),
    )
]
OWNERS = [
    Case("refresh", "/users/auth-refresh", {"fields": "record.id,token"}, "POST", None, "bruno"),
    Case("refresh by guest", "/users/auth-refresh", {}, "POST"),
    Case("methods", "/users/auth-methods"),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", [*CREATES, *CHANGES, *REMOVALS, *SIGN_IN, *OWNERS], ids=str)
def test_same_answer(case, peer, ours):
    """The same write gets the same status and the same JSON."""
    assert ask(ours, case) == ask(peer, case)


@pytest.mark.slow
def test_what_is_stored_is_the_same(peer, ours):
    """After all these writes both hold the same records."""
    everything = [
        Case("all", f"/{name}/records", {"perPage": 500, "sort": "id"}, caller="root")
        for name in ("regions", "labels", "keepsakes")
    ]

    assert [ask(ours, case) for case in everything] == [ask(peer, case) for case in everything]


ENABLED = {"batch": {"enabled": True, "maxRequests": 4, "timeout": 3}}
ITEM = {"method": "POST", "url": "/api/collections/wines/records"}
BATCHES = {
    "two creates": [
        {**ITEM, "body": {"id": record_id("batch1"), "title": "One"}},
        {**ITEM, "body": {"id": record_id("batch2"), "title": "Two"}},
    ],
    "second fails": [{**ITEM, "body": {"id": record_id("batch3"), "title": "Three"}}, {**ITEM, "body": {"title": ""}}],
    "first again": [{**ITEM, "body": {"id": record_id("batch3"), "title": "Three"}}],
    "upsert": [{"method": "PUT", "url": ITEM["url"], "body": {"id": record_id("batch1"), "title": "Newer"}}],
    "under a rule": [{"method": "DELETE", "url": f"/api/collections/vault/records/{record_id('key')}"}],
    "unknown url": [{"method": "POST", "url": "/api/health"}],
    "bad method": [{**ITEM, "method": "post"}],
    "empty": [],
    "too many": [{**ITEM, "body": {"title": "x"}}] * 5,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BATCHES)
def test_same_batch(name, peer, ours):
    """A batch is done as a whole or not at all, and says which item failed."""
    for server in (peer, ours):
        server.call("PATCH", "/api/settings", ENABLED)

    assert batch(ours, BATCHES[name]) == batch(peer, BATCHES[name])


def batch(server, requests):
    answer = server.call("POST", "/api/batch", {"requests": requests}, "guest")
    return answer.status_code, settle(answer.json())
