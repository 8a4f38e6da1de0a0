"""Every operator on every kind of encrypted field, wherever one can be asked: what works, works; the rest is refused.

A refusal says the same whatever is stored, so nobody learns a value from it.
"""

from __future__ import annotations

import json
from itertools import cycle, product
from urllib.parse import quote

import pytest

OPERATORS = ("=", "!=", ">", ">=", "<", "<=", "~", "!~")
ALL = (*OPERATORS, *(f"?{operator}" for operator in OPERATORS))
WORKING = {"=", "!=", "?=", "?!="}
MODIFIERS = (":lower", ":length", ":each")
CHOICES = {"maxSelect": 1, "values": ["red", "blue"]}
FIELDS = {
    "title": ("text", {}, "'zebra'"),
    "body": ("editor", {}, "'<p>zebra</p>'"),
    "mail": ("email", {}, "'zebra@example.com'"),
    "site": ("url", {}, "'https://example.com'"),
    "amount": ("number", {}, "12.5"),
    "due": ("date", {}, "'2024-05-06 07:08:09.000Z'"),
    "meta": ("json", {}, "'zebra'"),
    "kind": ("select", CHOICES, "'blue'"),
}
STORED = {
    "title": "zebra",
    "body": "<p>zebra</p>",
    "mail": "zebra@example.com",
    "site": "https://example.com",
    "amount": 12.5,
    "due": "2024-05-06 07:08:09.000Z",
    "meta": "zebra",
    "kind": "blue",
}
OTHERS = {"title": "'horse'", "amount": "13", "kind": "'red'", "mail": "'horse@example.com'"}
# Of JSON there is no look-up, nor of formatted text: `search` is refused for them where a collection is defined.
SEARCHED = ("title", "mail", "site", "amount", "due", "kind")


def field(name, search):
    kind, options, _ = FIELDS[name]
    encrypted = {"search": "equality", "allowLeakage": True} if search == "equality" and name in SEARCHED else True
    return {"name": name, "type": kind, "encrypted": encrypted, **options}


@pytest.fixture(params=["equality", "none"])
async def cards(blog, request):
    """A collection in which every field is encrypted, with one record, and another that points to it."""
    blog.search = request.param
    made = await blog.collection("cards", *(field(name, request.param) for name in FIELDS))
    card = await blog.add("cards", **STORED)
    await blog.collection("hands", {"name": "card", "type": "relation", "collectionId": made["id"], "maxSelect": 5})
    await blog.add("hands", card=[card["id"]])
    return blog


def can(blog, name, operator):
    return blog.search == "equality" and name in SEARCHED and operator in WORKING


async def test_filters(cards):
    """In a filter of a list, over a relation, over a back-relation and in sums."""
    for operator, (name, (_, _, literal)) in product(ALL, FIELDS.items()):
        paths = [("cards", name), ("hands", f"card.{name}"), ("cards", f"hands_via_card.card.{name}")]
        for collection, path in paths:
            answer = await cards.list(collection, filter=f"{path} {operator} {literal}")
            summed = await cards.client.get(
                f"/api/collections/{collection}/aggregate", filter=f"{path} {operator} {literal}", fields="count()"
            )
            if can(cards, name, operator):
                assert answer.json["totalItems"] == (1 if "!" not in operator else 0), (path, operator)
                assert summed.status == 200
            else:
                refused(answer, name)
                refused(summed, name)


def refused(answer, name):
    assert (answer.status, answer.error.code) == (400, "field_is_encrypted"), answer.text
    assert repr(name) in answer.error.message


async def test_modifiers(cards):
    """No modifier works on an encrypted field, where it would on a plain one."""
    for name, modifier in product(FIELDS, MODIFIERS):
        answer = await cards.list("cards", filter=f"{name}{modifier} = 1")

        assert answer.status == 400, (name, modifier)


async def test_rules(cards):
    """A rule that cannot work is refused when it is saved, whichever of the five it is; one that can is kept."""
    actions = cycle(("list", "view", "create", "update", "delete"))
    for operator, (name, (_, _, literal)) in product(ALL, FIELDS.items()):
        rule = f"{next(actions)}Rule"
        answer = await cards.change("cards", **{rule: f"{name} {operator} {literal}"})
        if can(cards, name, operator):
            assert answer.status == 200, answer.text
            await cards.change("cards", **{rule: ""})
        else:
            assert answer.status == 400
            assert repr(name) in answer.error.data[rule]["message"]


async def test_subscriptions(cards):
    """A subscription that asks what can be asked is told; one that asks anything else never is."""
    topics = {}
    for name, (_, _, literal) in FIELDS.items():
        for operator in ("=", "?=", "~", ">="):
            options = quote(json.dumps({"query": {"filter": f"{name} {operator} {literal}"}}))
            topics[f"cards/*?options={options}"] = can(cards, name, operator)
    async with cards.client.listen(*topics, "cards/*") as listener:
        await cards.add("cards", **STORED)
        events = await listener.events(1.0)

    assert {event.name for event in events} == {"cards/*", *(topic for topic, works in topics.items() if works)}


async def test_sorts_groups_and_sums(cards):
    """Nothing is sorted, grouped or summed up by any of them."""
    for name in FIELDS:
        assert (await cards.list("cards", sort=name)).error.code == "invalid_sort"
        assert (await cards.list("cards", sort=f"-{name}")).error.code == "invalid_sort"
        for query in ({"groupBy": name}, {"fields": f"max({name})"}, {"fields": f"count({name})"}):
            answer = await cards.client.get("/api/collections/cards/aggregate", as_=cards.root, **query)
            assert answer.status == 400, (name, query)


async def test_a_refusal_tells_nothing(cards):
    """It is the same, byte for byte, for the value that is stored and for another one."""
    for operator, (name, other) in product(ALL, OTHERS.items()):
        if not can(cards, name, operator):
            one, two = [
                await cards.list("cards", filter=f"{name} {operator} {literal}") for literal in (FIELDS[name][2], other)
            ]
            assert one.body == two.body
