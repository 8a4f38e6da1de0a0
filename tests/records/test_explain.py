"""The explain header."""

from __future__ import annotations

import json


async def diary(blog):
    users = await blog.client.get("/api/collections/users", as_=blog.root)
    owner = {"name": "owner", "type": "relation", "collectionId": users.json["id"]}
    rule = "owner = @request.auth.id || (shared = true && @request.auth.id != '')"
    await blog.collection("diary", owner, {"name": "shared", "type": "bool"}, listRule=rule, viewRule=rule)
    mine = await blog.add("diary", owner=blog.ann_id)
    theirs = await blog.add("diary", owner=blog.ben_id)
    return mine["id"], theirs["id"]


async def explain(blog, path, as_, caller=""):
    headers = {"X-Undercroft-Explain": "1"} | ({"X-Undercroft-As": caller} if caller else {})
    return await blog.client.get(path, as_=as_, headers=headers)


async def test_an_allowed_and_a_denied_record(blog):
    """For each asked record it says whether the rule holds, and which of its parts do."""
    mine, theirs = await diary(blog)
    caller = f"users/{blog.ann_id}"

    allowed = await explain(blog, f"/api/collections/diary/records/{mine}", blog.root, caller)
    denied = await explain(blog, f"/api/collections/diary/records/{theirs}", blog.root, caller)

    assert (allowed.status, denied.status) == (200, 404)
    assert allowed.json["id"] == mine
    parts = ["owner = @request.auth.id", "shared = true", "@request.auth.id != ''"]
    assert allowed.json["explain"]["parts"] == parts
    assert allowed.json["explain"]["records"] == {mine: {"exists": True, "holds": True, "parts": [True, False, True]}}
    assert denied.json["explain"]["records"][theirs] == {"exists": True, "holds": False, "parts": [False, False, True]}
    assert allowed.json["explain"]["caller"] == caller


async def test_what_ran(blog):
    """It shows each statement with its values, its plan and its time, and the time by stage."""
    mine, _ = await diary(blog)

    answer = await explain(blog, "/api/collections/diary/records", blog.root, f"users/{blog.ann_id}")

    explained = answer.json["explain"]
    assert [item["id"] for item in answer.json["items"]] == [mine]
    assert explained["rule"].startswith("owner =")
    statement = explained["statements"][0]
    assert statement["sql"].startswith("SELECT")
    assert blog.ann_id in statement["parameters"]
    assert any("diary" in line or "r" in line for line in statement["plan"])
    assert set(explained["milliseconds"]) == {"plan", "statements", "answer", "encode"}


async def test_a_record_that_is_not_there(blog):
    """A record that does not exist is told apart from one that is hidden, to superusers."""
    await diary(blog)

    answer = await explain(blog, "/api/collections/diary/records/nothingthere123", blog.root, "guest")

    assert answer.status == 404
    assert answer.json["explain"]["records"] == {"nothingthere123": {"exists": False}}
    assert answer.json["explain"]["caller"] == "guest"


async def test_only_superusers_see_it(blog):
    """Everybody else is refused, so that rules and SQL stay inside."""
    await diary(blog)

    for token in ("", blog.ann):
        answer = await explain(blog, "/api/collections/diary/records", token)
        assert answer.error.code == "explain_superusers_only"
        assert "owner" not in json.dumps(answer.json)


async def test_an_unknown_caller_is_named(blog):
    """A caller that does not exist is an error, not a guest."""
    await diary(blog)

    for caller in ("users/nobody", "nowhere/x", "diary/x"):
        answer = await explain(blog, "/api/collections/diary/records", blog.root, caller)
        assert (answer.status, answer.error.code) == (400, "unknown_caller")
