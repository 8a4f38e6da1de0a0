"""What a delete does to the records that point to the deleted one."""

from __future__ import annotations

from itertools import count

import pytest

from undercroft.database.changes import changes_since, last_change_id
from undercroft.query.scope import GUEST
from undercroft.records.access import Access
from undercroft.records.truncate import truncate
from undercroft.records.write import Writer


@pytest.fixture
async def tree(blog):
    made = await blog.collection("roots", {"name": "title", "type": "text"})

    def relation(name, **options):
        return {"name": name, "type": "relation", "collectionId": made["id"], **options}

    await blog.collection(
        "leaves",
        relation("plain"),
        relation("owned", cascadeDelete=True),
        relation("needed", required=False),
        relation("some", maxSelect=5),
        relation("some_owned", maxSelect=5, cascadeDelete=True),
        {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True},
    )
    await blog.collection("strict", relation("root", required=True))
    return blog


async def test_optional_references_are_taken_out(tree):
    """A record that pointed to the deleted one stays, without the id."""
    root, other = await tree.add("roots"), await tree.add("roots")
    leaf = await tree.add("leaves", plain=root["id"], some=[root["id"], other["id"]])

    assert (await tree.delete("roots", root["id"])).status == 204

    left = (await tree.view("leaves", leaf["id"])).json
    assert (left["plain"], left["some"]) == ("", [other["id"]])
    assert left["updated"] >= leaf["updated"]


async def test_owned_records_go_with_the_last_reference(tree):
    """Cascade deletes a referrer once it has no reference left, not before."""
    root, other = await tree.add("roots"), await tree.add("roots")
    leaf = await tree.add("leaves", some_owned=[root["id"], other["id"]])

    await tree.delete("roots", root["id"])
    assert (await tree.view("leaves", leaf["id"])).json["some_owned"] == [other["id"]]
    await tree.delete("roots", other["id"])
    assert (await tree.view("leaves", leaf["id"])).status == 404


async def test_required_references_stand_in_the_way(tree):
    """The delete fails whole when a required relation would be left empty."""
    root = await tree.add("roots")
    owned = await tree.add("leaves", owned=root["id"])
    await tree.add("strict", root=root["id"])

    answer = await tree.delete("roots", root["id"])

    assert (answer.status, answer.error.code) == (400, "delete_refused")
    assert (await tree.view("leaves", owned["id"])).json["owned"] == root["id"]


async def test_circles_end(blog):
    """Records that own each other, or themselves, are deleted once."""
    made = await blog.collection("rings", {"name": "title", "type": "text"})
    next_ = {"name": "next", "type": "relation", "collectionId": made["id"], "cascadeDelete": True}
    await blog.change("rings", fields=[*made["fields"], next_])
    one = await blog.add("rings")
    two = await blog.add("rings", next=one["id"])
    await blog.update("rings", one["id"], {"next": two["id"]})
    alone = await blog.add("rings")
    await blog.update("rings", alone["id"], {"next": alone["id"]})

    assert (await blog.delete("rings", one["id"])).status == 204
    assert await blog.ids("rings") == [alone["id"]]
    assert (await blog.delete("rings", alone["id"])).status == 204
    assert await blog.ids("rings") == []


async def test_a_long_chain_goes_whole(blog):
    """However many records hang one on the other, they are deleted together."""
    made = await blog.collection("links", {"name": "title", "type": "text"})
    before = {"name": "before", "type": "relation", "collectionId": made["id"], "cascadeDelete": True}
    await blog.change("links", fields=[*made["fields"], before])
    first = last = await blog.add("links")
    for _ in range(700):
        last = await blog.add("links", before=last["id"])

    assert (await blog.delete("links", first["id"])).status == 204
    assert await blog.ids("links") == []


async def test_relations_must_exist(tree):
    """A relation to a record that is not there is refused on write."""
    answer = await tree.create("leaves", {"plain": "nothingthere123"})

    assert answer.error.data["plain"]["code"] == "validation_missing_rel_records"


async def empty(blog, name):
    """Truncate a collection; how many statements that took."""
    backend = blog.client.backend
    told = []

    async def operation(transaction):
        async def run(sql, values):
            told.append(sql)
            return await transaction.run(sql, values)

        writer = Writer(Access(run, backend.plans, backend.catalog, GUEST), transaction)
        await truncate(writer, backend.catalog.collection(name))

    await backend.engine.write(operation)
    return len(told)


async def test_records_without_company_are_deleted_as_a_set(blog):
    """Emptying a collection to which nothing points takes one statement, and one entry of the log for each record."""
    made = await blog.collection("alone", {"name": "title", "type": "text"})
    ids = {(await blog.add("alone"))["id"] for _ in range(5)}
    engine = blog.client.backend.engine
    before = await last_change_id(engine.read)

    statements = await empty(blog, "alone")

    logged = [entry.change for entry in await changes_since(engine, before)]
    assert statements == 1
    assert await blog.ids("alone") == []
    assert {(change.kind, change.collection, change.action) for change in logged} == {("record", made["id"], "delete")}
    assert sorted(change.record for change in logged) == sorted(ids)


async def test_what_is_kept_of_accounts_goes_with_all_of_them(blog):
    """Emptying a collection of accounts ends their known devices too."""
    members = await blog.collection("members", type="auth")
    account = {"email": "cy@example.com", "password": "password-1", "passwordConfirm": "password-1"}
    member = await blog.add("members", **account)
    gone = await blog.add("_authOrigins", collectionRef=members["id"], recordRef=member["id"], fingerprint="f" * 32)
    kept = await blog.add("_authOrigins", collectionRef="_pb_users_auth_", recordRef=blog.ann_id, fingerprint="f" * 32)

    await empty(blog, "members")

    left = await blog.ids("_authOrigins", blog.root)
    assert (kept["id"] in left, gone["id"] in left) == (True, False)


@pytest.mark.parametrize("where", ["truncate", "cascade"])
async def test_a_long_delete_ends(tree, monkeypatch, where):
    """A delete of much holds the writer for a limited time, and then nothing of it happened."""
    root = await tree.add("roots")
    await tree.add("leaves", owned=root["id"])
    clock = count(0, 40)
    monkeypatch.setattr(f"undercroft.records.{where}.monotonic", lambda: next(clock))

    answer = await tree.client.delete("/api/collections/roots/truncate", as_=tree.root)

    assert (answer.status, answer.error.code) == (503, "query_timeout")
    assert await tree.ids("roots") == [root["id"]]
