"""What listeners hear of creates, updates and deletes."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from undercroft.realtime.live import KIND


def asking(topic, **query):
    return f"{topic}?options={quote(json.dumps({'query': query}))}"


def told(events):
    return [(event.json["action"], event.json["record"].get("id")) for event in events]


async def test_a_life_is_told(board):
    """Each change is one event, named by the topic, with the record as it was then and the client's id."""
    async with board.client.listen("notes/*") as listener:
        note = await board.add(title="a", tags=["red"], meta={"x": [1, None]}, n=1.5)
        changed = await board.change(note, title="b")
        await board.drop(note)
        events = await listener.events()

    assert [(event.name, event.id) for event in events] == [("notes/*", listener.client_id)] * 3
    assert [event.json["action"] for event in events] == ["create", "update", "delete"]
    seen_by_guests = [{key: value for key, value in each.items() if key != "secret"} for each in (note, changed)]
    assert [event.json["record"] for event in events] == [*seen_by_guests, seen_by_guests[1]]


async def test_a_record_is_shown_as_it_was_after_each_change(board):
    """Also when one transaction holds several changes of it."""
    await board.client.patch("/api/settings", {"batch": {"enabled": True}}, as_=board.root)
    path, record_id = "/api/collections/notes/records", "note00000000001"
    requests = [
        {"method": "POST", "url": path, "body": {"id": record_id, "n": 1}},
        {"method": "PATCH", "url": f"{path}/{record_id}", "body": {"n": 2}},
        {"method": "DELETE", "url": f"{path}/{record_id}"},
    ]
    async with board.client.listen("notes/*") as listener:
        assert (await board.client.post("/api/batch", {"requests": requests})).status == 200
        events = await listener.events()

    assert [(event.json["action"], event.json["record"]["n"]) for event in events] == [
        ("create", 1),
        ("update", 2),
        ("delete", 2),
    ]


async def test_what_is_undone_is_not_told(board):
    """A batch that fails tells of nothing."""
    await board.client.patch("/api/settings", {"batch": {"enabled": True}}, as_=board.root)
    path = "/api/collections/notes/records"
    requests = [{"method": "POST", "url": path, "body": {"n": 1}}, {"method": "PATCH", "url": f"{path}/nope"}]
    async with board.client.listen("notes/*") as listener:
        assert (await board.client.post("/api/batch", {"requests": requests})).status == 400
        await board.add(n=7)
        events = await listener.events()

    assert [event.json["record"]["n"] for event in events] == [7]


async def test_one_record_can_be_listened_to(board):
    """By the collection's name or its id; others are not heard of."""
    one, other = await board.add(), await board.add()
    by_id = f"{one['collectionId']}/{one['id']}"
    async with board.client.listen(f"notes/{one['id']}", by_id) as listener:
        await board.change(other, n=1)
        await board.change(one, n=2)
        events = await listener.events()

    assert sorted(event.name for event in events) == sorted([f"notes/{one['id']}", by_id])


async def test_new_topics_take_the_place_of_the_old(board):
    """An empty list ends all."""
    async with board.client.listen("notes/*") as listener:
        await listener.subscribe("users/*")
        await board.add()
        await listener.subscribe()
        await board.change(board.ann_id, "users", name="A")

        assert await listener.events() == []


async def test_a_filter_limits(board):
    """Like the one of a list, also for what is gone."""
    async with board.client.listen(asking("notes/*", filter='n > 5 && title ~ "x"')) as listener:
        await board.add(n=9, title="y")
        note = await board.add(n=9, title="axe")
        await board.drop(note)
        events = await listener.events()

    assert told(events) == [("create", note["id"]), ("delete", note["id"])]


@pytest.mark.parametrize("wanted", ["nope = 1", "n >", 'secret = "s"', '@request.auth.id = ""', "owner.tokenKey = 1"])
async def test_a_filter_that_may_not_be_hears_nothing(board, wanted):
    """Neither of hidden fields nor of what is not the caller's to ask; the others hear."""
    async with board.client.listen(asking("notes/*", filter=wanted)) as listener, board.client.listen("notes") as other:
        await board.add(secret="s")

        assert await listener.events() == []
        assert len(await other.events()) == 1


async def test_expand_and_fields_shape_the_record(board):
    """Under the rules of what is expanded."""
    await board.rules("users", viewRule="id = @request.auth.id")
    topic = asking("notes/*", expand="owner", fields="title,expand.owner.name")
    async with board.client.listen(topic, as_=board.ann) as ann, board.client.listen(topic, as_=board.ben) as ben:
        await board.add(title="x", owner=board.ann_id)

        assert (await ann.event()).json["record"] == {"title": "x", "expand": {"owner": {"name": "Ann"}}}
        assert "owner" not in (await ben.event()).json["record"].get("expand", {})


async def test_rules_see_the_options(board):
    """As query and headers of the request."""
    await board.rules(listRule='@request.query.key = "k" && @request.headers.x_team = "red"')
    good = quote(json.dumps({"query": {"key": "k"}, "headers": {"X-Team": "red"}}))
    bad = quote(json.dumps({"query": {"key": "k"}}))
    async with board.client.listen(f"notes/*?options={good}", f"notes/*?options={bad}", "notes/*") as listener:
        await board.add()
        events = await listener.events()

    assert [event.name for event in events] == [f"notes/*?options={good}"]


async def test_rules_see_that_it_is_realtime(board):
    """`@request.context`, and GET."""
    await board.rules(listRule='@request.context = "realtime" && @request.method = "GET"')
    async with board.client.listen("notes/*") as listener:
        await board.add()

        assert (await listener.event()).json["action"] == "create"


async def test_cascades_are_told(board):
    """What goes along, who loses a reference, and then the record itself."""
    lists = await board.collection("lists")
    await board.collection("items", board.relation("list", lists, cascadeDelete=True))
    await board.collection("views", board.relation("list", lists))
    found = await board.add("lists")
    item, view = await board.add("items", list=found["id"]), await board.add("views", list=found["id"])
    async with board.client.listen("lists/*", "items/*", "views/*") as listener:
        await board.drop(found, "lists")
        events = await listener.events()

    assert sorted(told(events)) == sorted([("delete", item["id"]), ("update", view["id"]), ("delete", found["id"])])
    assert told(events)[-1] == ("delete", found["id"])


async def test_emptying_a_collection_is_told(board):
    """Each record, one by one."""
    ids = {(await board.add())["id"] for _ in range(3)}
    async with board.client.listen("notes/*") as listener:
        await board.client.delete("/api/collections/notes/truncate", as_=board.root)
        events = await listener.events()

    assert {("delete", each) for each in ids} == set(told(events))


async def test_records_are_kept_in_the_log_only_while_somebody_listens(board):
    """Before, a write says that it was there, and nothing of what it wrote."""
    before = await board.add(title="before")
    async with board.client.listen("notes/*"):
        heard = await board.add(title="heard")
    rows = await board.client.backend.engine.read('SELECT "record", "row" FROM "_changes"')
    kept = dict(rows)

    assert kept[before["id"]] == ""
    assert "heard" in kept[heard["id"]]
    assert KIND in board.client.backend.engine.listeners


async def test_secrets_of_accounts_are_not_kept_in_the_log(board):
    """Neither the hash of a password nor the key of tokens."""
    async with board.client.listen("users/*"):
        await board.change(board.ann_id, "users", name="A")
    rows = await board.client.backend.engine.read('SELECT "row" FROM "_changes" WHERE "row" <> \'\'')

    assert rows
    assert not any("argon2" in row or "tokenKey" in row or "password" in row for (row,) in rows)
