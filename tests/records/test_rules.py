"""What each action answers for each kind of rule, and what rules can see."""

from __future__ import annotations

import pytest


def text(name):
    return {"name": name, "type": "text"}


async def notes(blog, **rules):
    users = await blog.client.get("/api/collections/users", as_=blog.root)
    owner = {"name": "owner", "type": "relation", "collectionId": users.json["id"]}
    await blog.collection("notes", text("title"), {"name": "n", "type": "number"}, owner, **rules)


async def test_null_rules_are_for_superusers(blog):
    """A null rule answers 403 to everybody else, for every action."""
    await notes(blog, **{f"{action}Rule": None for action in ("list", "view", "create", "update", "delete")})
    note = await blog.add("notes", title="x")

    answers = [
        await blog.list("notes", blog.ann),
        await blog.view("notes", note["id"], blog.ann),
        await blog.create("notes", {}, blog.ann),
        await blog.update("notes", note["id"], {}, blog.ann),
        await blog.delete("notes", note["id"], blog.ann),
    ]

    assert [answer.status for answer in answers] == [403] * 5
    assert {answer.error.code for answer in answers} == {"superusers_only"}


async def test_unmet_rules_look_like_absence(blog):
    """Who does not satisfy a rule learns nothing about the record."""
    rule = "owner = @request.auth.id"
    await notes(blog, listRule=rule, viewRule=rule, updateRule=rule, deleteRule=rule)
    note = await blog.add("notes", title="x", owner=blog.ann_id)

    assert await blog.ids("notes", blog.ben) == []
    for answer in (
        await blog.view("notes", note["id"], blog.ben),
        await blog.update("notes", note["id"], {"title": "y"}, blog.ben),
        await blog.delete("notes", note["id"], blog.ben),
        await blog.view("notes", "nothingthere123", blog.ben),
    ):
        assert (answer.status, answer.json["data"]) == (404, {})
    assert await blog.ids("notes", blog.ann) == [note["id"]]


async def test_a_refused_create_hides_field_errors(blog):
    """The create rule is asked first, so that its answer is all one learns."""
    await notes(blog, createRule="title = 'ok'")

    answer = await blog.create("notes", {"title": "no", "owner": "nobodyhere12345"}, blog.ann)

    assert (answer.status, answer.error.code, answer.error.data) == (400, "create_refused", {})


@pytest.mark.parametrize(
    ("rule", "allowed", "refused"),
    [
        ("title = 'ok'", {"title": "ok"}, {"title": "no"}),
        ("@request.body.n:isset = false", {"title": "x"}, {"n": 0}),
        ("@request.body.title:lower = 'ok'", {"title": "OK"}, {"title": "KO"}),
        ("@request.body.extra.a.1.b = 2", {"extra": {"a": [0, {"b": 2}]}}, {"extra": {"a": [0, {"b": 3}]}}),
        ("owner.name = 'Ann'", {"owner": "ANN"}, {"owner": "BEN"}),
        ("@request.body.owner.name = 'Ann'", {"owner": "ANN"}, {"owner": "BEN"}),
        ("@request.auth.name = 'Ann' && n > 1", {"n": 2}, {"n": 1}),
        ("@request.method = 'POST' && @request.context = 'default' && n = 1", {"n": 1}, {"n": 2}),
    ],
)
async def test_create_rules_see_the_submitted_record(blog, rule, allowed, refused):
    """A create rule judges the record as it would be, and the request that brings it."""
    await notes(blog, createRule=rule)
    people = {"ANN": blog.ann_id, "BEN": blog.ben_id}

    for body, status in ((allowed, 200), (refused, 400)):
        sent = {key: people.get(value, value) if isinstance(value, str) else value for key, value in body.items()}
        assert (await blog.create("notes", sent, blog.ann)).status == status


@pytest.mark.parametrize(
    ("rule", "body", "status"),
    [
        ("title = 'old'", {"title": "new"}, 200),
        ("title = 'new'", {"title": "new"}, 404),
        ("@request.body.n:changed = false", {"n": 1}, 200),
        ("@request.body.n:changed = false", {"n": 2}, 404),
        ("@request.body.n:changed = true", {"n": 2}, 200),
        ("@request.body.n:changed = true", {"title": "n is not sent"}, 404),
        ("@request.body.n > n", {"n+": 1}, 200),
        ("@request.body.n > n", {"n-": 1}, 404),
    ],
)
async def test_update_rules_see_before_and_after(blog, rule, body, status):
    """An update rule reads the stored record, and the new values from the body after modifiers."""
    await notes(blog, updateRule=rule)
    note = await blog.add("notes", title="old", n=1)

    assert (await blog.update("notes", note["id"], body, blog.ann)).status == status


async def test_guests_have_no_auth_values(blog):
    """Every `@request.auth` value of a guest is null, which equals the empty text."""
    await notes(blog, listRule="@request.auth.id = '' && @request.auth.name = null")
    note = await blog.add("notes", title="x")

    assert await blog.ids("notes") == [note["id"]]
    assert await blog.ids("notes", blog.ann) == []


async def test_one_plan_serves_callers_who_differ(blog):
    """A plan that was made for one caller's values is right for another's."""
    await notes(blog, listRule="owner = @request.auth.id || @request.headers.x_key = title || @request.query.k = title")
    mine = (await blog.add("notes", title="x", owner=blog.ann_id))["id"]
    other = (await blog.add("notes", title="key"))["id"]
    path = "/api/collections/notes/records"

    async def ids(as_, headers, **query):
        answer = await blog.client.get(path, as_=as_, headers=headers, **query)
        return {item["id"] for item in answer.json["items"]}

    for _ in range(2):
        assert await ids(blog.ann, {}) == {mine}
        assert await ids(blog.ben, {}) == set()
        assert await ids(blog.ben, {"X-Key": "key"}) == {other}
        assert await ids(blog.ann, {}, k="key") == {mine, other}


async def test_rules_on_other_collections_ask_the_same_row(blog):
    """Conditions on `@collection.NAME` that use any-of meet on one row."""
    await blog.collection("grants", text("who"), text("what"))
    await notes(blog, listRule="@collection.grants.who ?= @request.auth.id && @collection.grants.what ?= title")
    note = await blog.add("notes", title="plan")
    await blog.add("grants", who=blog.ann_id, what="plan")
    await blog.add("grants", who=blog.ben_id, what="else")

    assert await blog.ids("notes", blog.ann) == [note["id"]]
    assert await blog.ids("notes", blog.ben) == []


async def test_rules_read_what_callers_may_not(blog):
    """A rule may use hidden fields; a filter may not, and is told what it is told of a field that does not exist."""
    await blog.collection("notes", text("title"), {**text("secret"), "hidden": True}, listRule="secret = 's'")
    note = await blog.add("notes", title="x", secret="s")

    assert await blog.ids("notes") == [note["id"]]
    hidden, missing = await blog.list("notes", filter="secret = 's'"), await blog.list("notes", filter="secrer = 's'")
    assert hidden.body.replace(b"secret", b"secrer") == missing.body
    assert hidden.status == 400


@pytest.mark.parametrize("place", ["{} ~ ''", "title = '' || ({} ?= 's')", "({}:lower = 's' && 1 = 1) || 2 = 2"])
@pytest.mark.parametrize("path", ["secret", "parent.secret", "notes_via_parent.secret", "parent.parent.secret"])
async def test_hidden_fields_cannot_be_probed(blog, place, path):
    """No path, operator or group lets a caller filter or sort by a field that is hidden."""
    made = await blog.collection("notes", text("title"), {**text("secret"), "hidden": True})
    fields = [*made["fields"], {"name": "parent", "type": "relation", "collectionId": made["id"]}]
    await blog.change("notes", fields=fields)
    await blog.add("notes", title="x", secret="s")

    assert (await blog.list("notes", filter=place.format(path))).status == 400
    assert (await blog.list("notes", sort=path)).status == 400


async def test_filters_through_relations_obey_the_other_rule(blog):
    """A caller's filter over a relation finds only what the related collection would list to them."""
    await blog.collection("topics", text("name"), listRule="name != 'secret'")
    topics = await blog.client.get("/api/collections/topics", as_=blog.root)
    await blog.collection("notes", {"name": "topic", "type": "relation", "collectionId": topics.json["id"]})
    shown, hidden = (await blog.add("topics", name="open")), (await blog.add("topics", name="secret"))
    one, two, three = [
        (await blog.add("notes", **values))["id"] for values in ({"topic": shown["id"]}, {"topic": hidden["id"]}, {})
    ]

    assert await blog.ids("notes", filter="topic.name ~ 'e'") == [one]
    assert set(await blog.ids("notes", filter="topic.name != 'zz'")) == {one, three}
    assert set(await blog.ids("notes", sort="topic.name")) == {one, three}
    assert set(await blog.ids("notes", blog.root, filter="topic.name != 'zz'")) == {one, two, three}
    await blog.change("topics", listRule=None)
    assert (await blog.list("notes", filter="topic.name != 'zz'")).status == 400
    assert set(await blog.ids("notes", filter="topic != ''")) == {one, two}
