"""Creating, changing and deleting records."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored import due, keys_of, stored, waiting

from undercroft.database.changes import append_change, changes_since
from undercroft.testing import File


def text(name, **options):
    return {"name": name, "type": "text", **options}


FIELDS = [
    text("title"),
    {"name": "n", "type": "number"},
    {"name": "done", "type": "bool"},
    {"name": "when", "type": "date"},
    {"name": "kind", "type": "select", "values": ["x", "y"]},
    {"name": "tags", "type": "select", "values": ["a", "b", "c"], "maxSelect": 3},
    {"name": "meta", "type": "json"},
    {"name": "place", "type": "geoPoint"},
    text("slug", autogeneratePattern="[a-z]{6}"),
    {"name": "docs", "type": "file", "maxSelect": 3, "maxSize": 100},
    {"name": "made", "type": "autodate", "onCreate": True},
    {"name": "seen", "type": "autodate", "onCreate": True, "onUpdate": True},
]


@pytest.fixture
async def things(blog):
    await blog.collection(
        "things", *FIELDS, indexes=["CREATE UNIQUE INDEX one_title ON things (title) WHERE title != ''"]
    )
    return blog


async def test_an_empty_record_has_zero_values(things):
    """Every field is there; only json is ever null."""
    answer = await things.create("things", {})

    record = answer.json
    assert answer.status == 200
    assert {key: record[key] for key in ("title", "n", "done", "when", "kind", "tags", "meta", "place", "docs")} == {
        "title": "",
        "n": 0,
        "done": False,
        "when": "",
        "kind": "",
        "tags": [],
        "meta": None,
        "place": {"lon": 0, "lat": 0},
        "docs": [],
    }
    assert record["made"] == record["seen"] != ""
    assert len(record["slug"]) == 6
    assert list(record) == sorted(record)


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ({"n": 1}, {"n+": 2}, {"n": 3}),
        ({"n": 1}, {"n-": 0.5}, {"n": 0.5}),
        ({"n": 1}, {"n": 10, "n+": 1}, {"n": 11}),
        ({"tags": ["a"]}, {"tags+": "b"}, {"tags": ["a", "b"]}),
        ({"tags": ["a"]}, {"+tags": ["c", "b"]}, {"tags": ["c", "b", "a"]}),
        ({"tags": ["a", "b"]}, {"tags-": ["a", "zz"]}, {"tags": ["b"]}),
        ({"kind": "x"}, {"kind+": "y"}, {"kind": "y"}),
        ({"kind": "x"}, {"+kind": "y"}, {"kind": "x"}),
        ({"kind": "x"}, {"kind-": "x"}, {"kind": ""}),
        ({"title": "t"}, {"title+": "x", "nothing+": 1}, {"title": "t"}),
        ({"tags": ["a"]}, {"tags": None, "n": None, "meta": None}, {"tags": [], "n": 0, "meta": None}),
        ({}, {"slug:autogenerate": "pre-"}, {}),
        ({"meta": {"a": 1}}, {"meta": '{"b": [1, 2.5]}'}, {"meta": {"b": [1, 2.5]}}),
    ],
)
async def test_modifiers_work_on_what_is_stored(things, before, change, after):
    """Write modifiers change the stored value, on top of a plain one."""
    record = await things.add("things", **before)

    answer = await things.update("things", record["id"], change)

    assert {key: answer.json[key] for key in after} == after
    if "slug:autogenerate" in change:
        assert answer.json["slug"].startswith("pre-")
        assert len(answer.json["slug"]) == 10


async def test_dates_and_ids_of_the_server_are_not_for_callers(things):
    """Autodates ignore what is sent, even by superusers; an id never changes."""
    record = await things.add("things", made="2001-01-01 00:00:00.000Z")
    changed = await things.update("things", record["id"], {"id": "abcdefghijklmno"}, things.root)

    assert not record["made"].startswith("2001")
    assert changed.error.data["id"]["code"] == "validation_pk_change"


async def test_unique_violations_name_their_fields(things):
    """A unique index that refuses a value is a validation error of its columns, on create and update."""
    await things.add("things", title="taken")
    other = await things.add("things", title="free")

    for answer in (
        await things.create("things", {"title": "taken"}),
        await things.update("things", other["id"], {"title": "taken"}),
    ):
        assert answer.error.data == {"title": {"code": "validation_not_unique", "message": "Value must be unique."}}
    assert (await things.create("things", {"id": other["id"]})).error.data["id"]["code"] == "validation_not_unique"


async def test_a_refused_write_changes_nothing(things):
    """Errors of any field leave the record as it was, and no trace in the change log."""
    record = await things.add("things", title="a", n=1)
    before = (await things.client.backend.engine.read('SELECT count(*) FROM "_changes"'))[0]

    answer = await things.update("things", record["id"], {"n+": 5, "tags": ["nope"], "kind": "?"})

    assert set(answer.error.data) == {"tags", "kind"}
    assert (await things.view("things", record["id"])).json["n"] == 1
    assert (await things.client.backend.engine.read('SELECT count(*) FROM "_changes"'))[0] == before


async def test_each_write_ends_in_one_entry_of_the_change_log(things):
    """Create, update and delete are logged in order, by collection and record id."""
    record = await things.add("things", title="a")
    await things.update("things", record["id"], {"n": 1})
    await things.delete("things", record["id"])

    logged = [entry.change for entry in await changes_since(things.client.backend.engine, 0)]
    actions = [(change.kind, change.action) for change in logged if change.record == record["id"]]
    assert actions == [("record", "create"), ("record", "update"), ("record", "delete")]


async def test_views_are_read_only(blog):
    """Records of a view cannot be created, changed or deleted."""
    await blog.collection("things", text("title"))
    view = {
        "name": "titles",
        "type": "view",
        "viewQuery": "SELECT id, title FROM things",
        "listRule": "",
        "viewRule": "",
    }
    assert (await blog.client.post("/api/collections", view, as_=blog.root)).status == 200
    thing = await blog.add("things", title="x")

    assert await blog.ids("titles") == [thing["id"]]
    for answer in (
        await blog.create("titles", {}, blog.root),
        await blog.update("titles", thing["id"], {}, blog.root),
        await blog.delete("titles", thing["id"], blog.root),
    ):
        assert (answer.status, answer.error.code) == (400, "view_is_read_only")


async def test_files_are_stored_under_safe_names(things):
    """Uploads keep a readable, random name; replaced and removed ones leave the store after the commit."""
    path = "/api/collections/things/records"
    form = {"docs": [File("My File (1).txt", b"one"), File("../../etc/passwd", b"two")]}
    record = (await things.client.post(path, form=form)).json
    first, second = record["docs"]

    assert first.startswith("my_file_1_")
    assert first.endswith(".txt")
    assert second.startswith("passwd_")
    assert await stored(things.client) == keys_of(record, "docs")
    kept = (await things.update("things", record["id"], {"docs-": first})).json
    assert kept["docs"] == [second]
    assert await stored(things.client) == keys_of(kept, "docs")
    assert (await things.update("things", record["id"], {"docs": ["other.txt"]})).error.data["docs"]["code"] == (
        "validation_invalid_file"
    )
    await things.delete("things", record["id"])
    assert await stored(things.client) == []


async def test_refused_uploads_leave_no_file(things):
    """A file that is too large, or that comes with another error, is nowhere afterwards."""
    path = "/api/collections/things/records"

    large = await things.client.post(path, form={"docs": File("big.txt", b"x" * 101)})
    wrong = await things.client.post(path, form={"docs": File("fine.txt", b"x"), "kind": "?"})

    assert large.error.data["docs"]["code"] == "validation_file_size_limit"
    assert set(wrong.error.data) == {"kind"}
    assert (await stored(things.client), waiting(things.client), await due(things.client)) == ([], [], [])


async def test_who_leaves_during_an_upload_takes_no_file_along(things, monkeypatch):
    """A record that is committed after its caller has gone keeps its files."""
    moving, going_on = threading.Event(), threading.Event()

    async def log_late(*entry):
        moving.set()
        going_on.wait(5)
        return await append_change(*entry)

    monkeypatch.setattr("undercroft.records.log.append_change", log_late)
    form = {"docs": File("fine.txt", b"x")}
    caller = asyncio.create_task(things.client.post("/api/collections/things/records", form=form))
    await asyncio.to_thread(moving.wait, 5)
    caller.cancel()
    await asyncio.wait([caller])
    going_on.set()
    await things.add("things")  # writes are done one after the other

    found = (await things.list("things", filter="docs:length = 1")).json["items"]
    assert caller.cancelled()
    assert await stored(things.client) == keys_of(found[0], "docs")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
KEYS = st.sampled_from(
    [f["name"] for f in FIELDS] + ["n+", "tags-", "+tags", "id", "docs-", "slug:autogenerate", "x", ""]
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(body=st.dictionaries(KEYS, VALUES, max_size=6))
async def test_any_body_is_stored_or_refused(things, body):
    """No JSON object makes a create fail in another way than 400, and what is stored can be listed."""
    answer = await things.create("things", body)

    assert answer.status in (200, 400), answer.text
    if answer.status == 200:
        assert (await things.view("things", answer.json["id"])).json == answer.json


async def test_a_collection_that_changes_meanwhile(blog, database):
    """A write that meets another collection than it was made for is done anew or refused; nobody is told of columns."""
    made = await blog.collection("notes", {"name": "title", "type": "text"})
    fields = {field["name"]: field for field in made["fields"]}
    renamed = [fields["id"], fields["title"] | {"name": "headline"}]

    gate = threading.Event()

    async def hold(_):
        assert database or gate.wait(30)  # in the thread that writes to SQLite; PostgreSQL has no such one

    waiting = [asyncio.create_task(blog.client.backend.engine.write(hold))]
    for request in (blog.change("notes", fields=renamed), *(blog.create("notes", {"title": "x"}) for _ in range(5))):
        waiting.append(asyncio.create_task(request))
        await asyncio.sleep(0.1)  # until it waits for its turn to write
    gate.set()
    _, change, *answers = await asyncio.gather(*waiting)

    assert change.status == 200
    refused = {(answer.status, answer.error.code) for answer in answers if answer.status != 200}
    assert refused <= {(503, "collections_changed")}
    made = [answer.json for answer in answers if answer.status == 200]
    # Nodes of one PostgreSQL may write beside each other, and be done before the change.
    assert database or all("headline" in record for record in made)
    assert len((await blog.list("notes")).json["items"]) == len(made)


async def test_no_record_has_nul_in_its_id(things):
    """An id with a NUL character is one that is not there, for every action and engine."""
    for answer in (
        await things.view("things", "abc%00"),
        await things.update("things", "abc%00", {"n": 1}),
        await things.delete("things", "abc%00"),
    ):
        assert answer.status == 404
