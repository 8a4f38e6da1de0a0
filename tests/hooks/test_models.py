"""Hooks for records and collections alike, around those of their own kind."""

from __future__ import annotations

import pytest

from undercroft.app import App
from undercroft.hooks.failures import BadHooks
from undercroft.records.model_events import COLLECTIONS


def write_down(site, *moments, names=()):
    """Write down what hooks of either kind are called with, and when the chain comes back to them."""
    for moment in moments:

        async def note(event, moment=moment):
            site.fired.append(f"{moment}(")
            await event.next()
            site.fired.append(f"){moment}")

        getattr(site.on, moment)(*names)(note)


async def test_around_those_of_records(site):
    """Hooks for either go around those of records, moment by moment, and before them once it is over."""
    moments = ("create", "validate", "create_execute", "created")
    for moment in moments:
        write_down(site, f"record_{moment}", f"model_{moment}")

    answer = await site.create("posts", title="one")

    assert answer.status == 200
    assert site.fired == [
        *("model_create(", "record_create("),
        *("model_validate(", "record_validate(", ")record_validate", ")model_validate"),
        *("model_create_execute(", "record_create_execute(", ")record_create_execute", ")model_create_execute"),
        *(")record_create", ")model_create"),
        *("model_created(", ")model_created", "record_created(", ")record_created"),
    ]


async def test_alone(site):
    """They are called where no other hooks are, and can change and refuse what those can."""

    @site.on.model_create("posts")
    async def stamp(event):
        event.about.record["body"] = event.kind
        await event.next()
        if event.about.record["title"] == "two":
            raise event.refuse("Not the second one.")

    kept = await site.create("posts", title="one")
    refused = await site.create("posts", title="two")

    assert kept.json["body"] == "record"
    assert (refused.status, refused.error.message) == (400, "Not the second one.")
    assert await site.titles() == ["one"]


@pytest.mark.parametrize("outcome", ["ok", "refused"])
async def test_those_who_only_listen(site, outcome):
    """Hooks for either that only listen are told of the outcome."""
    post = await site.add("posts", title="one")
    write_down(site, "model_updated", "model_update_failed", "model_deleted")

    await site.update("posts", post, title="two" if outcome == "ok" else "")
    await site.delete("posts", post)

    told = "model_updated" if outcome == "ok" else "model_update_failed"
    assert site.fired == [f"{told}(", f"){told}", "model_deleted(", ")model_deleted"]


async def test_collections(site):
    """Collections go by one name; a hook for it hears of no records."""
    write_down(site, "model_create", "model_created", "model_update", "model_delete", names=[COLLECTIONS])

    await site.collection("notes")
    await site.client.patch("/api/collections/notes", {"name": "memos"}, as_=site.root)
    await site.create("memos")
    await site.client.delete("/api/collections/memos", as_=site.root)

    assert [entry for entry in site.fired if entry.endswith("(")] == [
        *("model_create(", "model_created(", "model_update(", "model_delete("),
    ]


async def test_bootstrap(tmp_path, database):
    """Hooks of the bootstrap come first, with all that they reach; those of the start follow."""
    app, fired = App(tmp_path / "data", database=database), []

    @app.on.serve()
    async def serve(event):
        fired.append("serve")

    @app.on.bootstrap()
    async def bootstrap(event):
        fired.append(f"bootstrap with {await event.records.users.count()} users")

    await app.start()
    await app.stop()

    assert fired == ["bootstrap with 0 users", "serve"]


async def test_a_bootstrap_that_fails(tmp_path, database):
    """A hook that fails then keeps the server from starting."""
    app = App(tmp_path / "data", database=database)

    @app.on.bootstrap()
    async def bootstrap(event):
        raise event.refuse("Not today.")

    with pytest.raises(BadHooks, match=r"on\.bootstrap"):
        await app.start()
