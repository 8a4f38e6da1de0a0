"""Saving collections: tables, views and definitions change together or not at all."""

import pytest

from undercroft.collections.definitions import dump_definition
from undercroft.collections.session import SchemaRefused
from undercroft.collections.store import (
    DeleteRefused,
    create_collection,
    delete_collection,
    dry_run_view,
    import_collections,
    load_catalog,
    update_collection,
)
from undercroft.collections.transfer import ImportFailed
from undercroft.database.changes import changes_since, last_change_id
from undercroft.errors import FieldError, Invalid, NotFound

pytestmark = pytest.mark.anyio

BOX = {
    "name": "box",
    "fields": [
        {"name": "a", "type": "text", "id": "fa"},
        {"name": "s", "type": "select", "values": ["x", "y"], "id": "fs"},
    ],
    "indexes": ["CREATE INDEX ia ON box (a)"],
}
LOOK = {"name": "look", "type": "view", "viewQuery": "SELECT id, a FROM box"}


async def add(store, table, **values):
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join(store.engine.dialect.placeholder(n) for n, _ in enumerate(values, 1))
    sql = f'INSERT INTO "{table}" ({names}) VALUES ({marks})'
    await store.engine.write(lambda tx: tx.run(sql, list(values.values())))


async def rows(store, sql):
    return await store.engine.read(sql)


async def snapshot(store):
    """Everything the database knows of collections."""
    catalog = await load_catalog(store.engine)
    dialect = store.engine.dialect
    schema = [*await rows(store, dialect.list_tables()), *await rows(store, dialect.list_views())]
    return sorted(dump_definition(made)["id"] for made in catalog), sorted(schema)


async def test_a_new_collection_is_there_at_once(store):
    """Its table, its definition and the current catalog."""
    made = await create_collection(store, BOX)

    assert store.holder.current.find("BOX") == made
    assert (await load_catalog(store.engine)).find(made.id) == made
    assert await rows(store, "SELECT id, a, s FROM box") == []


async def test_every_change_grows_the_catalog(store):
    """The version of the catalog is its place in the change log, which names the collection."""
    before = store.holder.current.version
    made = await create_collection(store, BOX)
    after = store.holder.current.version

    entries = await changes_since(store.engine, before)
    assert after == await last_change_id(store.engine.read) > before
    assert [(entry.change.kind, entry.change.collection) for entry in entries] == [("collection", made.id)]


async def test_a_refused_change_leaves_nothing_behind(store):
    """An index that cannot be built undoes the table made before it."""
    before = await snapshot(store)

    with pytest.raises(Invalid) as refused:
        await create_collection(store, BOX | {"indexes": ["CREATE INDEX ia ON box (nope)"]})

    assert refused.value.data["indexes"]["0"].code == "validation_invalid_index_expression"
    assert await snapshot(store) == before


async def test_a_unique_index_needs_unique_data(store):
    """Records that are there already can stand against it."""
    await create_collection(store, BOX)
    await add(store, "box", id="r1", a="same")
    await add(store, "box", id="r2", a="same")

    with pytest.raises(Invalid) as refused:
        await update_collection(store, "box", {"indexes": ["CREATE UNIQUE INDEX iu ON box (a)"]})

    assert refused.value.message() == "Failed to update collection."
    assert list(refused.value.data["indexes"]) == ["0"]


async def test_names_swap_and_data_stays(store):
    """Two fields exchange their names in one change."""
    await create_collection(store, {"name": "box", "fields": [{"name": n, "type": "text", "id": n} for n in "ab"]})
    await add(store, "box", id="r", a="A", b="B")
    swapped = [{"name": "b", "type": "text", "id": "a"}, {"name": "a", "type": "text", "id": "b"}]
    await update_collection(store, "box", {"fields": swapped})

    assert await rows(store, "SELECT a, b FROM box") == [("B", "A")]


async def test_single_values_become_lists_and_back(store):
    """A list keeps its last element when it becomes one value."""
    await create_collection(store, BOX)
    await add(store, "box", id="r", s="y")
    many = BOX["fields"][1] | {"maxSelect": 2}
    await update_collection(store, "box", {"fields": [BOX["fields"][0], many]})
    assert await rows(store, "SELECT s FROM box") == [('["y"]',)]

    await store.engine.write(lambda tx: tx.run('UPDATE box SET s = \'["y","x"]\''))
    await update_collection(store, "box", {"fields": BOX["fields"]})
    assert await rows(store, "SELECT s FROM box") == [("x",)]


async def test_a_view_follows_its_table(store):
    """Renaming a collection and a field leaves what a view shows as it was."""
    await create_collection(store, BOX)
    await create_collection(store, LOOK)
    await add(store, "box", id="r", a="A")
    renamed = {"name": "crate", "fields": [{"name": "c", "type": "text", "id": "fa"}], "indexes": []}
    await update_collection(store, "box", renamed)

    look = store.holder.current.find("look")
    assert await rows(store, "SELECT id, a FROM look") == [("r", "A")]
    assert look.view_query == 'SELECT id, "c" AS "a" FROM "crate"'
    assert (await dry_run_view(store.engine, store.holder.current, look.view_query)).reason == ""


async def test_a_view_learns_new_types(store):
    """What a view shows of a field changes with the field."""
    await create_collection(store, BOX)
    await create_collection(store, LOOK | {"viewQuery": "SELECT id, s FROM box"})
    many = BOX["fields"][1] | {"maxSelect": 2}
    await update_collection(store, "box", {"fields": [BOX["fields"][0], many]})

    assert store.holder.current.find("look").field("s").is_multiple


async def test_a_view_stands_against_what_breaks_it(store):
    """Neither a column nor a collection that a view reads from can go."""
    await create_collection(store, BOX)
    await create_collection(store, LOOK)
    before = await snapshot(store)

    with pytest.raises(SchemaRefused):
        await update_collection(store, "box", {"fields": [], "indexes": []})
    with pytest.raises(SchemaRefused):
        await delete_collection(store, "box")
    assert await snapshot(store) == before


async def test_a_view_stands_against_the_rename_of_a_view(store):
    """A view that other views read from keeps its name."""
    await create_collection(store, BOX)
    await create_collection(store, LOOK)
    await create_collection(store, LOOK | {"name": "peek", "viewQuery": "SELECT id, a FROM look"})

    with pytest.raises(SchemaRefused):
        await update_collection(store, "look", {"name": "other"})


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT id, nope FROM box", "nope"),
        ("SELECT id FROM nope", "nope"),
        ("SELECT '' AS id FROM box", "empty or invalid ids"),
        ("SELECT 'x' AS id FROM box", "non-unique ids"),
    ],
)
async def test_the_database_has_a_word_on_views(store, query, reason):
    """A query must run, and its first ids must be ids."""
    await create_collection(store, BOX)
    await add(store, "box", id="r1")
    await add(store, "box", id="r2")

    with pytest.raises(Invalid) as refused:
        await create_collection(store, LOOK | {"viewQuery": query})

    assert reason in refused.value.data["viewQuery"].message


async def test_ids_of_a_view_are_text(store):
    """Numbers that serve as ids are cast."""
    await create_collection(store, BOX)
    await add(store, "box", id="r1")
    await create_collection(store, LOOK | {"viewQuery": "SELECT (ROW_NUMBER() OVER()) AS id, a FROM box -- rows"})

    assert await rows(store, "SELECT id FROM look") == [("1",)]


async def test_what_is_referred_to_stays(store):
    """A collection with a relation to it, and one of the system, cannot be deleted."""
    await create_collection(store, {"name": "box", "fields": [relation("_pb_users_auth_")]})

    with pytest.raises(DeleteRefused) as refused:
        await delete_collection(store, "users")
    assert "box" in refused.value.message()
    with pytest.raises(DeleteRefused):
        await delete_collection(store, "_superusers")


async def test_a_deleted_collection_is_gone(store):
    """Table, definition and all."""
    before = await snapshot(store)
    await create_collection(store, BOX)
    await delete_collection(store, "box")

    assert await snapshot(store) == before
    with pytest.raises(NotFound):
        await delete_collection(store, "box")


async def test_nothing_is_kept_of_deleted_accounts(store):
    """A later collection with the same id inherits no login of others."""
    made = await create_collection(store, {"name": "people", "type": "auth"})
    await add(store, "_externalAuths", id="e", collectionRef=made.id, recordRef="r", provider="x", providerId="y")
    await delete_collection(store, "people")

    assert await rows(store, 'SELECT id FROM "_externalAuths"') == []


async def test_an_import_may_refer_to_itself(store):
    """Collections of one import may point at each other, and its views read from its tables."""
    await import_collections(
        store,
        [
            {"name": "look", "type": "view", "viewQuery": "SELECT id, r FROM one"},
            {"name": "one", "id": "one_id", "fields": [relation("two_id")]},
            {"name": "two", "id": "two_id", "fields": [relation("one_id"), relation("two_id", "self")]},
        ],
        delete_missing=False,
    )

    assert store.holder.current.find("look").field("r").collection_id == "two_id"


async def test_an_import_keeps_what_it_does_not_name(store):
    """Fields of the import come first, stored ones after them; rules are merged."""
    await create_collection(store, BOX | {"listRule": ""})
    await add(store, "box", id="r", a="A")
    await import_collections(store, [{"name": "box", "fields": [{"name": "c", "type": "text"}]}], delete_missing=False)

    box = store.holder.current.find("box")
    assert [field.name for field in box.fields] == ["c", "id", "a", "s"]
    assert box.list_rule == ""
    assert await rows(store, "SELECT a FROM box") == [("A",)]


async def test_an_import_can_delete_the_rest(store):
    """Without `deleteMissing` nothing goes; with it all that is not of the system does."""
    await create_collection(store, BOX)
    await create_collection(store, LOOK)
    await import_collections(store, [{"name": "new"}], delete_missing=True)

    assert sorted(made.name for made in store.holder.current if not made.system) == ["new"]


@pytest.mark.parametrize(
    "items",
    [
        [{"name": "good"}, {"name": "bad name"}],
        [{"name": "good"}, {"name": "bad", "fields": [{"name": "x", "type": "nope"}]}],
        [{"name": "good"}, {"name": "look", "type": "view", "viewQuery": "SELECT id FROM nope"}],
        [{"name": "good"}, {"name": "GOOD", "id": "other"}],
        [{"name": "users"}, {"name": "users"}],
    ],
)
async def test_an_import_is_whole_or_nothing(store, items):
    """One bad collection undoes all of them."""
    before = await snapshot(store)

    with pytest.raises(ImportFailed) as refused:
        await import_collections(store, items, delete_missing=False)

    error = refused.value.data["collections"]
    assert isinstance(error, FieldError)
    assert error.code == "validation_collections_import_failure"
    assert await snapshot(store) == before


def relation(target, name="r"):
    return {"name": name, "type": "relation", "collectionId": target}
