"""Which hooks are called for which deed and outcome, in which order, inside or outside of the transaction."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

OK = "create( validate( )validate create_execute( )create_execute )create created"


def told(site) -> str:
    """What was written down, without titles."""
    return " ".join(entry.rpartition(" ")[2] for entry in site.fired)


async def test_create(site):
    """A create goes through its hooks from the outside in, and tells of itself when it is durable."""
    site.write_down()

    answer = await site.create("posts", title="one")

    assert answer.status == 200
    assert told(site) == OK


async def test_create_that_the_rule_refuses(site):
    """Who may not create reaches no hook."""
    await site.client.patch("/api/collections/posts", {"createRule": "title = 'allowed'"}, as_=site.root)
    site.write_down()

    answer = await site.create("posts", title="one")

    assert (answer.status, answer.error.code) == (400, "create_refused")
    assert told(site) == ""


async def test_create_with_bad_values(site):
    """Values that are refused end it before the statement, and it failed."""
    site.write_down()

    answer = await site.create("posts", title="")

    assert answer.error.data["title"]["code"] == "validation_required"
    assert told(site) == "create( validate( )validate create_failed"


async def test_create_that_the_database_refuses(site):
    """A unique index refuses the statement itself."""
    await site.add("posts", title="one")
    site.write_down()

    answer = await site.create("posts", title="one")

    assert answer.error.data["title"]["code"] == "validation_not_unique"
    assert told(site) == "create( validate( )validate create_execute( create_failed"


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("record_create", "create( create_failed"),
        ("record_validate", "create( validate( create_failed"),
        ("record_create_execute", "create( validate( )validate create_execute( create_failed"),
    ],
)
async def test_create_that_a_hook_refuses(site, moment, expected):
    """A hook that refuses before `next()` keeps all that comes after it from happening."""
    site.write_down()

    @getattr(site.on, moment)("posts", priority=1)
    async def refuse(event):
        raise event.refuse("Not today.")

    answer = await site.create("posts", title="one")

    assert (answer.status, answer.error.code, answer.error.message) == (400, "hook_refused", "Not today.")
    assert told(site) == expected
    assert await site.titles() == []


async def test_create_that_a_later_hook_undoes(site):
    """A hook that refuses after `next()` undoes what was written."""
    site.write_down()

    @site.on.record_create("posts", priority=-1)
    async def regret(event):
        await event.next()
        raise event.refuse("On second thought.", field="title", code="regretted")

    answer = await site.create("posts", title="one")

    assert answer.error.data == {"title": {"code": "regretted", "message": "On second thought."}}
    assert told(site) == OK.replace("created", "create_failed")
    assert await site.titles() == []


async def test_update(site):
    """An update goes through its own hooks."""
    post = await site.add("posts", title="one")
    site.write_down()

    answer = await site.update("posts", post, title="two")

    assert answer.status == 200
    assert told(site) == "update( validate( )validate update_execute( )update_execute )update updated"


async def test_update_of_what_is_not_there(site):
    """Where there is no record there is nothing for hooks."""
    site.write_down()

    answer = await site.update("posts", "a" * 15, title="two")

    assert answer.status == 404
    assert told(site) == ""


async def test_delete(site):
    """A delete goes through its own hooks, and is not validated."""
    post = await site.add("posts", title="one")
    site.write_down()

    answer = await site.delete("posts", post)

    assert answer.status == 204
    assert told(site) == "delete( delete_execute( )delete_execute )delete deleted"


async def test_delete_that_a_hook_refuses(site):
    """What a hook does not let go stays."""
    post = await site.add("posts", title="one")
    site.write_down()

    @site.on.record_delete("posts", priority=1)
    async def keep(event):
        await event.next()
        raise event.refuse("It stays.")

    answer = await site.delete("posts", post)

    assert answer.status == 400
    assert told(site) == "delete( delete_execute( )delete_execute delete_failed"
    assert await site.titles() == ["one"]


async def related(site, **options):
    """A post, and a comment that points to it."""
    relation = {"name": "post", "type": "relation", "collectionId": site.ids["posts"], "maxSelect": 1, **options}
    await site.collection("comments", {"name": "title", "type": "text"}, relation)
    post = await site.add("posts", title="post")
    await site.add("comments", title="comment", post=post)
    return post


async def test_what_hangs_on_a_record(site):
    """What is deleted with a record has its own hooks, inside of those of the record and before its statement."""
    post = await related(site, cascadeDelete=True)
    site.write_down()

    await site.delete("posts", post)

    assert site.fired == [
        *("post delete(", "comment delete(", "comment delete_execute(", ")delete_execute", ")delete"),
        *("post delete_execute(", ")delete_execute", ")delete", "post deleted", "comment deleted"),
    ]


async def test_what_is_left_of_a_record(site):
    """What only loses its relation is updated, and not validated."""
    post = await related(site)
    site.write_down()

    await site.delete("posts", post)

    assert site.fired == [
        *("post delete(", "comment update(", "comment update_execute(", ")update_execute", ")update"),
        *("post delete_execute(", ")delete_execute", ")delete", "post deleted", "comment updated"),
    ]


async def test_what_stands_in_the_way_of_a_delete(site):
    """A required relation refuses the delete after the hook has begun."""
    post = await related(site, required=True)
    site.write_down()

    answer = await site.delete("posts", post)

    assert answer.error.code == "delete_refused"
    assert told(site) == "delete( delete_failed"


async def test_a_long_chain_of_records(site):
    """Three hundred records that hang on each other are deleted, each with its hooks."""
    await site.collection("links", {"name": "title", "type": "text"})
    next_one = {
        "name": "next",
        "type": "relation",
        "collectionId": site.ids["links"],
        "cascadeDelete": True,
        "maxSelect": 1,
    }
    fields = (await site.client.get("/api/collections/links", as_=site.root)).json["fields"]
    await site.client.patch("/api/collections/links", {"fields": [*fields, next_one]}, as_=site.root)
    first = link = await site.add("links", title="0")
    for number in range(1, 300):
        link = await site.add("links", title=str(number), next=link)
    site.write_down("record_delete")

    answer = await site.delete("links", first)

    assert answer.status == 204
    assert len(site.fired) == 600


def posting(*titles):
    return {
        "requests": [
            {"method": "POST", "url": "/api/collections/posts/records", "body": {"title": title}} for title in titles
        ]
    }


@pytest.fixture
async def batching(site):
    """A site that takes batches."""
    await site.client.patch("/api/settings", {"batch": {"enabled": True}}, as_=site.root)
    return site


async def test_batch(batching):
    """The hooks of a batch run in its transaction, request after request, and hear of the end together."""
    batching.write_down("record_create", "record_created")

    answer = await batching.client.post("/api/batch", posting("one", "two"))

    assert answer.status == 200
    assert batching.fired == ["one create(", ")create", "two create(", ")create", "one created", "two created"]


async def test_batch_that_fails(batching):
    """With the last request of a batch all of them failed."""
    batching.write_down("record_create", "record_created", "record_create_failed")

    answer = await batching.client.post("/api/batch", posting("one", ""))

    assert answer.error.code == "batch_failed"
    assert batching.fired == ["one create(", ")create", " create(", "one create_failed", " create_failed"]
    assert await batching.titles() == []


async def test_batch_that_a_hook_refuses(batching):
    """The answer says which request it was, and what the hook said."""

    @batching.on.record_create("posts")
    async def refuse(event):
        if event.record["title"] == "two":
            raise event.refuse("Not the second one.")

    answer = await batching.client.post("/api/batch", posting("one", "two"))

    assert answer.error.data["requests"]["1"]["response"]["message"] == "Not the second one."
    assert await batching.titles() == []


async def test_truncate(site):
    """Emptying a collection deletes record by record where hooks are called."""
    await site.add("posts", title="one")
    await site.add("posts", title="two")
    site.write_down("record_delete", "record_deleted")

    answer = await site.client.delete("/api/collections/posts/truncate", as_=site.root)

    assert answer.status == 204
    assert sorted(site.fired) == sorted(
        ["one delete(", ")delete", "two delete(", ")delete", "one deleted", "two deleted"]
    )


@pytest.mark.parametrize("outcome", ["ok", "refused"])
async def test_those_who_only_listen(site, outcome):
    """Where hooks only listen to the outcome they are told of it all the same."""
    site.write_down("record_created", "record_create_failed")

    await site.create("posts", title="one" if outcome == "ok" else "")

    assert told(site) == ("created" if outcome == "ok" else "create_failed")


async def test_those_who_only_listen_to_a_cascade(site):
    """Of a cascade they hear of every record, those that hang on others first."""
    post = await related(site, cascadeDelete=True)
    site.write_down("record_deleted", "record_updated")

    await site.delete("posts", post)

    assert site.fired == ["comment deleted", "post deleted"]


async def test_inside_and_outside(site):
    """Before the commit nobody else sees the record; those who are told of it see it like everybody."""
    seen = []

    async def look(event):
        count = select(func.count().label("n")).select_from(event.tables.posts)
        inside = (await event.sql(count))[0]["n"]
        outside = (await site.client.backend.engine.read('SELECT count(*) FROM "posts"'))[0][0]
        seen.append((inside, outside))

    @site.on.record_create("posts")
    async def around(event):
        await look(event)
        await event.next()
        await look(event)

    site.on.record_created("posts")(look)

    await site.create("posts", title="one")

    assert seen == [(0, 0), (1, 0), (1, 1)]


async def test_priorities(site):
    """Lower priorities come first, then those that were written first; the others come around again in reverse."""
    called = []

    def hook(name):
        async def call(event):
            called.append(name)
            await event.next()
            called.append(f"/{name}")

        return call

    site.on.record_create("posts")(hook("b"))
    site.on.record_create()(hook("c"))
    site.on.record_create("posts", priority=-5)(hook("a"))
    site.on.record_create("others")(hook("never"))

    await site.create("posts", title="one")

    assert called == ["a", "b", "c", "/c", "/b", "/a"]


async def test_a_hook_that_never_says_next(site):
    """It goes before, and the chain goes on when it returns."""

    @site.on.record_create("posts")
    async def stamp(event):
        event.record["body"] = "stamped"

    answer = await site.create("posts", title="one")

    assert answer.json["body"] == "stamped"


async def test_names_follow_the_collection(site):
    """A hook of a collection's id is called whatever the collection is called; names count in any letter case."""
    site.on.record_create(site.ids["posts"])(lambda _: site.fired.append("by id"))
    site.on.record_create("POSTS")(lambda _: site.fired.append("by name"))
    await site.create("posts", title="one")
    await site.client.patch("/api/collections/posts", {"name": "articles"}, as_=site.root)

    await site.create("articles", title="two")

    assert site.fired == ["by id", "by name", "by id"]
