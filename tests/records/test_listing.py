"""Listing: paging, sorting, expanding, and whatever else a query may hold."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stopwatch import Stopwatch


def text(name, **options):
    return {"name": name, "type": "text", **options}


@pytest.fixture
async def shelf(blog):
    """Authors Ann (rank 1) and Ben (rank 2), and books b0 to b4 by them."""
    authors = await blog.collection("authors", text("name"), {"name": "rank", "type": "number"})
    by = {"name": "by", "type": "relation", "collectionId": authors["id"]}
    helpers = {"name": "helpers", "type": "relation", "collectionId": authors["id"], "maxSelect": 3}
    await blog.collection("books", text("title"), by, helpers, {"name": "meta", "type": "json"})
    ann, ben = await blog.add("authors", name="Ann", rank=1), await blog.add("authors", name="Ben", rank=2)
    for n in range(5):
        writer = ann if n % 2 else ben
        await blog.add("books", title=f"b{n}", by=writer["id"], helpers=[ann["id"], ben["id"]][: n % 3], meta={"n": n})
    return blog


async def titles(blog, **query):
    answer = await blog.list("books", **query)
    assert answer.status == 200, answer.text
    return [item["title"] for item in answer.json["items"]]


async def test_pages(shelf):
    """Pages count from 1, keep the effective size, and know the total or say -1."""
    second = (await shelf.list("books", sort="title", page=2, perPage=2)).json
    beyond = (await shelf.list("books", page=9, perPage=2)).json
    quick = (await shelf.list("books", perPage=2, skipTotal=1)).json

    assert [item["title"] for item in second["items"]] == ["b2", "b3"]
    assert {key: second[key] for key in second if key != "items"} == {
        "page": 2,
        "perPage": 2,
        "totalItems": 5,
        "totalPages": 3,
    }
    assert (beyond["items"], beyond["page"], beyond["totalItems"]) == ([], 9, 5)
    assert (quick["totalItems"], quick["totalPages"]) == (-1, -1)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("title", ["b0", "b1", "b2", "b3", "b4"]),
        ("-title", ["b4", "b3", "b2", "b1", "b0"]),
        ("by.rank,-title", ["b3", "b1", "b4", "b2", "b0"]),
        ("-meta.n", ["b4", "b3", "b2", "b1", "b0"]),
        ("helpers:length,title", ["b0", "b3", "b1", "b4", "b2"]),
        ("-helpers.rank,title", ["b2", "b1", "b4", "b0", "b3"]),
        ("@rowid", ["b0", "b1", "b2", "b3", "b4"]),
    ],
)
async def test_sort(shelf, sort, expected):
    """Sorting goes over fields, JSON and relations; each record comes once."""
    assert await titles(shelf, sort=sort) == expected


@pytest.mark.parametrize(
    "sort", ["nope", "title,", "title;DROP TABLE x", "(SELECT 1)", "by.nope", "a," * 9 + "a", "-", "1"]
)
async def test_bad_sorts(shelf, sort):
    """A sort that cannot be read is refused by name."""
    answer = await shelf.list("books", sort=sort)

    assert (answer.status, answer.error.code) == (400, "invalid_sort")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("titel = 'x'", "Did you mean 'title'?"),
        ("title = 'x' && by.nam = 'x'", "no field 'nam' in 'authors' at position 16. Did you mean 'name'?"),
        ("title = ", "position 9"),
        ("title:each:x = 1", "not a name"),
        ("now() = 1", "no function 'now'"),
        ("title:upper = 'A'", "no modifier 'upper'"),
        ("strftime('%Y') = '2026' && geoDistance(1, 2) > 3", "four arguments"),
    ],
)
async def test_filter_errors_say_what_and_where(shelf, text, told):
    """The message names the unknown, the nearest known, and the place."""
    answer = await shelf.list("books", filter=text)

    assert answer.status == 400
    assert answer.json["data"] == {}
    assert told in answer.error.message


@pytest.mark.parametrize("prefix", ["@request.", "@collection."])
async def test_private_names_are_refused_anywhere(shelf, prefix):
    """Guests may not even quote what only rules may read."""
    for query in (
        {"filter": f"title = '{prefix}x'"},
        {"filter": f"{prefix}auth.id = ''"},
        {"sort": f"{prefix}auth.id"},
    ):
        assert (await shelf.list("books", **query)).status == 403


async def test_expand(shelf):
    """Relations come expanded one statement a level, back relations too, unknown names not at all."""
    record = (await shelf.list("books", sort="title", expand="by,helpers,nope,by.books_via_by")).json["items"][4]

    assert record["expand"]["by"]["name"] == "Ben"
    assert [author["name"] for author in record["expand"]["helpers"]] == ["Ann"]
    assert len(record["expand"]["by"]["expand"]["books_via_by"]) == 3
    assert "nope" not in record["expand"]


async def test_expand_obeys_the_view_rule_of_what_it_shows(shelf):
    """Records that the caller may not view are left out; a null rule leaves the key out."""
    await shelf.change("authors", viewRule="name = 'Ann'")
    some = (await shelf.list("books", sort="title", expand="by,helpers")).json["items"][2]
    await shelf.change("authors", viewRule=None)
    none = (await shelf.list("books", expand="by")).json["items"][0]

    assert "by" not in some["expand"]
    assert [author["name"] for author in some["expand"]["helpers"]] == ["Ann"]
    assert "expand" not in none


async def test_conditions_on_one_path_meet_on_one_row(shelf):
    """Two any-of conditions on the same relation must hold for the same related record."""
    assert await titles(shelf, filter="helpers.name ?= 'Ann' && helpers.rank ?= 2") == []
    assert await titles(shelf, filter="helpers.name ?= 'Ann' && helpers.rank ?= 1", sort="title") == ["b1", "b2", "b4"]
    assert await titles(shelf, filter="helpers.name = 'Ann'", sort="title") == ["b1", "b4"]


WORDS = st.sampled_from(
    [
        "title",
        "by",
        "by.name",
        "helpers.rank",
        "meta.n.x",
        "meta",
        "books_via_by.id",
        "helpers:each",
        "helpers:length",
        "id",
        "title:lower",
        "null",
        "true",
        "@now",
        "@random",
        "nope",
        "password",
        "geoDistance(1,2,meta.a,4)",
        "strftime('%Y',title)",
    ]
)
VALUES = st.sampled_from(["'x'", "''", "1", "-2.5", "'%_\\\\'", '"q"', "'\x00'"]) | WORDS
OPERATORS = st.sampled_from(["=", "!=", "~", "!~", "<", ">=", "?=", "?!~", "?>"])
TERMS = st.builds(lambda a, o, b: f"{a} {o} {b}", VALUES, OPERATORS, VALUES)
FILTERS = st.recursive(
    TERMS, lambda f: st.builds(lambda a, j, b: f"({a}) {j} {b}", f, st.sampled_from(["&&", "||"]), f)
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(
    filter_=FILTERS | st.text(max_size=60),
    sort=WORDS | st.text(max_size=20),
    expand=WORDS | st.text(max_size=20),
    page=st.text(max_size=5),
)
async def test_any_query_is_answered_or_refused(shelf, filter_, sort, expand, page):
    """No filter, sort, expand, fields or page makes a list fail in another way than 4xx, nor take long."""
    watch = Stopwatch()
    answer = await shelf.list("books", filter=filter_, sort=sort, expand=expand, page=page, fields=expand)

    assert answer.status in (200, 400, 403), answer.text
    assert watch.seconds() < 5


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "(" * 5000 + "title = 'x'"},
        {"filter": " || ".join(["title = 'x'"] * 300)},
        {"filter": "title = '" + "x" * 5000 + "'"},
        {"filter": "by.books_via_by.by.books_via_by.by.books_via_by.by.name = 'x'"},
        {"sort": ",".join(["title"] * 2000)},
        {"page": "9" * 30},
        {"perPage": "1e9"},
    ],
)
async def test_pathological_queries_are_cheap(shelf, query):
    """Hostile sizes are refused before they cost anything."""
    watch = Stopwatch()
    answer = await shelf.list("books", **query)

    assert answer.status == 400
    assert watch.seconds() < 1


async def test_lists_in_the_order_of_an_index_are_the_same_lists(shelf):
    """Whether a list is sorted or follows an index, its pages are the same."""
    await shelf.client.patch(
        "/api/settings", {"batch": {"enabled": True, "maxRequests": 3000, "timeout": 60}}, as_=shelf.root
    )
    await shelf.collection(
        "logs",
        text("owner"),
        {"name": "n", "type": "number"},
        indexes=["CREATE INDEX by_owner ON logs (owner)", "CREATE INDEX by_n ON logs (n)"],
    )
    rows = [{"owner": "abc"[i % 3], "n": i * 7919 % 3000} for i in range(3000)]
    requests = [{"method": "POST", "url": "/api/collections/logs/records", "body": row} for row in rows]
    assert (await shelf.client.post("/api/batch", {"requests": requests}, as_=shelf.root)).status == 200

    for sort, step in (("n", 1), ("-n", -1)):
        answer = await shelf.list("logs", filter="owner = 'b'", sort=sort, perPage=50, page=2, skipTotal=1)
        expected = sorted(row["n"] for row in rows if row["owner"] == "b")[::step][50:100]
        assert [item["n"] for item in answer.json["items"]] == expected


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ("title", {"title"}),
        (" id , title ", {"id", "title"}),
        ("collectionId,title", {"collectionId", "title"}),
        ("collectionName", {"collectionName"}),
        ("nope", set()),
        ("nope,meta", {"meta"}),
        ("meta.n,id", {"meta", "id"}),
        ("title:excerpt(1)", {"title"}),
        ("*,title", {"title", "by", "helpers", "meta", "id", "collectionId", "collectionName"}),
    ],
)
async def test_fields_pick_the_same_from_sql_and_from_the_answer(shelf, fields, keys):
    """Plain keys are selected in SQL, others are picked from the answer; one cannot tell."""
    items = (await shelf.list("books", fields=fields)).json["items"]

    assert len(items) == 5
    assert all(set(item) == keys for item in items)


@pytest.fixture
async def crowd(blog):
    """Twenty people, each of whom knows all twenty."""
    made = await blog.collection("people", text("name"))
    knows = {"name": "knows", "type": "relation", "collectionId": made["id"], "maxSelect": 99}
    await blog.change("people", fields=[*made["fields"], knows])
    ids = [(await blog.add("people", name=f"p{n}"))["id"] for n in range(20)]
    for one in ids:
        await blog.update("people", one, {"knows": ids})
    return blog


@pytest.mark.parametrize("expand", [".".join(["knows"] * 6), "people_via_knows.knows.people_via_knows.knows"])
async def test_an_answer_does_not_grow_without_end(crowd, expand):
    """An expand that would write twenty records millions of times is refused."""
    watch = Stopwatch()

    answer = await crowd.list("people", expand=expand)

    assert (answer.status, answer.error.code) == (400, "expand_too_large")
    assert watch.seconds() < 1
    assert (await crowd.list("people", expand="knows.knows")).status == 200


async def test_an_expand_has_so_many_parts(crowd):
    """Each part is a statement, so they are counted."""
    answer = await crowd.list("people", expand=",".join(f"knows.a{n}" for n in range(600)))

    assert (answer.status, answer.error.code) == (400, "expand_too_large")


async def test_what_is_stored_is_answered_whatever_expand_asks(crowd):
    """A write that is done is not answered with an error for what was to be shown beside it."""
    answer = await crowd.create(
        "people", {"name": "new", "knows": await crowd.ids("people")}, expand=".".join(["knows"] * 6)
    )

    assert (answer.status, answer.json["name"]) == (200, "new")


async def test_long_filters_do_not_hold_up_others(shelf):
    """While a long filter is compiled, the event loop goes on."""
    text = "||".join(f"by.name~'x'&&helpers.rank>{n % 10}" for n in range(100))
    pauses = []

    async def tick():
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            pauses.append(time.perf_counter() - began)

    ticking = asyncio.create_task(tick())
    answer = await shelf.list("books", filter=text)
    ticking.cancel()

    assert answer.status == 200
    assert len(pauses) > 3


@pytest.mark.parametrize("most", [1, 2])
async def test_one_parent_with_many_children_starves_no_other(blog, monkeypatch, most):
    """Each record of a page shows its first referring records, however many another one has."""
    monkeypatch.setattr("undercroft.records.expand.MAX_REFERRING", 2)
    parents = await blog.collection("parents", text("name"))
    relation = {"name": "of", "type": "relation", "collectionId": parents["id"], "maxSelect": most}
    await blog.collection("children", text("name"), relation)
    rich, poor = [(await blog.add("parents", name=name))["id"] for name in ("rich", "poor")]
    for number in range(9):
        await blog.add("children", name=str(number), of=rich)
    await blog.add("children", name="only", of=poor)

    found = (await blog.list("parents", expand="children_via_of", sort="-name")).json["items"]

    shown = [[child["name"] for child in record["expand"]["children_via_of"]] for record in found]
    assert shown == [["0", "1"], ["only"]]
