"""View queries: what they may be and which fields come out of them."""

import pytest

from undercroft.collections.catalog import Catalog
from undercroft.collections.prepare import prepare_new
from undercroft.collections.system import initial_collections
from undercroft.collections.views import plain_query, read_view, rename_in_view
from undercroft.database.sqlite_dialect import SqliteDialect

FIRST = Catalog(initial_collections())
BOX = prepare_new(
    {
        "name": "box",
        "fields": [
            {"name": "a", "type": "text", "id": "fa", "max": 9},
            {"name": "b", "type": "number", "id": "fb"},
            {"name": "secret", "type": "text", "hidden": True},
            {"name": "who", "type": "relation", "collectionId": "_pb_users_auth_"},
        ],
    },
    FIRST,
)
CATALOG = FIRST.put(BOX)


def shape(query):
    return read_view(plain_query(query), CATALOG)


def kinds(query):
    found = shape(query)
    assert not found.reason
    return {field.name: field.type for field in found.fields if field.name != "id"}


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ("a AS x", "text"),
        ("b.a AS x", "text"),
        ('"b"."b" x', "number"),
        ("COUNT(*) AS x", "number"),
        ("count(a) over () AS x", "number"),
        ("total(b.b) AS x", "number"),
        ("CAST(a AS INT) AS x", "number"),
        ("CAST(a AS real) AS x", "number"),
        ("CAST(a AS text) AS x", "text"),
        ("CAST(a AS bool) AS x", "bool"),
        ("CAST(a AS varchar) AS x", "json"),
        ("b.id AS x", "relation"),
        ("who AS x", "relation"),
        ("sum(b.b) AS x", "json"),
        ("b.b + 1 AS x", "json"),
        ("(a) AS x", "json"),
        ("'5' AS x", "json"),
        ("(SELECT a FROM box LIMIT 1) AS x", "json"),
    ],
)
def test_columns_become_fields(item, kind):
    """Columns of known collections keep their type; of the rest a few are understood and all others json."""
    assert kinds(f"SELECT b.id, {item} FROM box b") == {"x": kind}


def test_a_copy_keeps_the_options():
    """A field that is shown is hidden, bounded and named as its source is."""
    a, secret = shape("SELECT id, a, secret FROM box").fields[1:]

    assert (a.max, secret.hidden) == (9, True)


def test_an_id_under_another_name_is_a_relation():
    """It points to the collection whose id it is."""
    found = shape("SELECT b.id, u.id AS user FROM box b JOIN users u ON u.id = b.who").fields[1]

    assert (found.collection_id, found.is_multiple) == ("_pb_users_auth_", False)


def test_fields_are_the_same_at_every_reading():
    """Reading a query twice gives the same ids, so that nothing changes by itself."""
    query = "SELECT id, a, b + 1 AS c FROM box"

    assert shape(query) == shape(query)


@pytest.mark.parametrize(
    ("query", "casts"),
    [
        ("SELECT id FROM box", False),
        ("SELECT a AS id FROM box", False),
        ("SELECT b AS id FROM box", True),
        ("SELECT (ROW_NUMBER() OVER()) AS id FROM box", True),
        ("SELECT id FROM (SELECT 1 AS id)", True),
    ],
)
def test_ids_that_are_no_text_are_cast(query, casts):
    """Only a column that holds text needs no cast."""
    assert shape(query).casts_id == casts


def test_a_common_table_is_no_collection():
    """A name that the query gives itself hides the collection of that name."""
    assert kinds("WITH box AS (SELECT id, 1 AS a FROM users) SELECT id, a FROM box") == {"a": "json"}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "nope",
        "SELECT a FROM box",
        "SELECT id AS ID FROM box",
        "SELECT * FROM box",
        "SELECT b.* FROM box b",
        "SELECT id FROM box; DROP TABLE box",
        "SELECT id FROM box; ;",
        "SELECT id FROM box UNION SELECT id FROM users",
        "VALUES (1)",
        "DELETE FROM box RETURNING id",
        "PRAGMA table_info(box)",
        "SELECT id FROM box) UNION SELECT * FROM (SELECT 1",
        "SELECT id, (a FROM box",
        "SELECT id, 'a FROM box",
        "SELECT id, a, b AS a FROM box",
        "SELECT id FROM " + "(SELECT id FROM " * 400 + "box" + ")" * 400,
        "SELECT id FROM box " + " " * 50_001 + "WHERE 1",
    ],
)
def test_what_is_no_view(query):
    """One SELECT with named columns and an id is a view; nothing else is."""
    assert shape(query).reason


def test_names_that_sql_uses_elsewhere():
    """A collection may be called `inner`, which the database takes as a name there."""
    catalog = CATALOG.put(prepare_new({"name": "inner", "fields": [{"name": "z", "type": "bool"}]}, CATALOG))

    assert [field.type for field in read_view("SELECT id, z FROM inner", catalog).fields] == ["text", "bool"]


@pytest.mark.parametrize(
    ("query", "after"),
    [
        ("select id, a from box", 'select id, "c" AS "a" from "crate"'),
        (
            "select id, a as x -- a of box\nfrom box where box.a = 'a' order by a",
            'select id, "c" as x -- a of box\nfrom "crate" where "crate"."c" = \'a\' order by "c"',
        ),
        (
            "select id, (select max(x.a) from box x) as m, u.name as a from users u",
            'select id, (select max(x."c") from "crate" x) as m, u.name as a from users u',
        ),
        (
            "select id, (select a from (select 1 as a)) as x from box",
            'select id, (select a from (select 1 as a)) as x from "crate"',
        ),
        ("select id, name from users where name = 'box'", "select id, name from users where name = 'box'"),
    ],
)
def test_renames_are_followed(query, after):
    """Only the names that changed are touched, and what was shown keeps its name."""
    view = prepare_new({"name": "look", "type": "view", "viewQuery": query}, CATALOG)
    fields = [{"name": "c", "type": "text", "id": "fa", "max": 9}]
    crate = prepare_new({"id": BOX.id, "name": "crate", "fields": fields}, FIRST)

    assert rename_in_view(view, BOX, crate, CATALOG, SqliteDialect()).view_query == after
