"""Counts and sums under the list rule, the same on both engines."""

from __future__ import annotations

import pytest

FIELDS = [
    {"name": "status", "type": "select", "maxSelect": 1, "values": ["open", "paid", "late"]},
    {"name": "tags", "type": "select", "maxSelect": 3, "values": ["a", "b", "c"]},
    {"name": "total", "type": "number"},
    {"name": "margin", "type": "number", "hidden": True},
    {"name": "rush", "type": "bool"},
    {"name": "note", "type": "text"},
    {"name": "meta", "type": "json"},
    {"name": "due", "type": "date"},
]
ORDERS = [
    {"status": "open", "total": 0.1, "rush": True, "due": "2026-01-31 23:59:59.999Z", "tags": ["a", "b"]},
    {"status": "open", "total": 0.2, "rush": False, "due": "2026-02-01 00:00:00.000Z", "tags": ["a"]},
    {"status": "paid", "total": 30, "rush": True, "due": "2026-02-28 12:00:00.000Z"},
    {"status": "", "total": -5, "rush": False, "due": ""},
]


@pytest.fixture
async def orders(blog):
    users = await blog.client.get("/api/collections/users", as_=blog.root)
    owner = {"name": "owner", "type": "relation", "collectionId": users.json["id"], "maxSelect": 1}
    buyers = {"name": "buyers", "type": "relation", "collectionId": users.json["id"], "maxSelect": 5}
    await blog.collection("orders", *FIELDS, owner, buyers)
    for number, order in enumerate(ORDERS):
        people = [blog.ann_id, blog.ben_id]
        await blog.add("orders", **order, owner=people[number % 2], buyers=people[: number % 3])
    return blog


async def ask(blog, as_="", /, **query):
    return await blog.client.get("/api/collections/orders/aggregate", as_=as_, **query)


async def items(blog, as_="", /, **query):
    answer = await ask(blog, as_, **query)
    assert answer.status == 200, answer.text
    return answer.json["items"]


async def test_all_records_at_once(orders):
    """Without groups there is one object with every function."""
    found = await items(orders, fields="count(), sum(total),avg(total),min(total),max(total),min(due),max(due)")

    assert found == [
        {
            "count()": 4,
            "sum(total)": 25.3,
            "avg(total)": 6.325,
            "min(total)": -5,
            "max(total)": 30,
            "min(due)": "2026-01-31 23:59:59.999Z",
            "max(due)": "2026-02-28 12:00:00.000Z",
        }
    ]


async def test_groups_come_in_order_and_pages(orders):
    """Groups are sorted by their keys, or as one asks, and come in pages."""
    by_key = (await ask(orders, fields="count(),sum(total)", groupBy="status")).json
    by_sum = await ask(orders, fields="sum(total)", groupBy="status", sort="-sum(total)", perPage="1", page="2")
    beyond = await ask(orders, fields="count()", groupBy="status", page="9")

    assert by_key == {
        "items": [
            {"status": "", "count()": 1, "sum(total)": -5},
            {"status": "open", "count()": 2, "sum(total)": 0.3},
            {"status": "paid", "count()": 1, "sum(total)": 30},
        ],
        "page": 1,
        "perPage": 30,
        "totalItems": 3,
        "totalPages": 1,
    }
    assert by_sum.json["items"] == [{"status": "open", "sum(total)": 0.3}]
    assert (by_sum.json["totalItems"], by_sum.json["totalPages"]) == (3, 3)
    assert (beyond.json["items"], beyond.json["totalItems"]) == ([], 3)


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [
        ("year", [("", 1), ("2026", 3)]),
        ("month", [("", 1), ("2026-01", 1), ("2026-02", 2)]),
        ("day", [("", 1), ("2026-01-31", 1), ("2026-02-01", 1), ("2026-02-28", 1)]),
    ],
)
async def test_dates_are_grouped_by_unit(orders, unit, wanted):
    """Moments are cut to a year, month or day of UTC; those that are missing are a group of their own."""
    found = await items(orders, groupBy=f"due:{unit}")

    assert [(each[f"due:{unit}"], each["count()"]) for each in found] == wanted


async def test_keys_have_the_type_of_their_field(orders):
    """A bool is a bool, a date a date, a number a number."""
    assert [each["rush"] for each in await items(orders, groupBy="rush")] == [False, True]
    assert [each["total"] for each in await items(orders, groupBy="total")] == [-5, 0.1, 0.2, 30]
    assert (await items(orders, groupBy="due"))[:2] == [
        {"due": "", "count()": 1},
        {"due": "2026-01-31 23:59:59.999Z", "count()": 1},
    ]


async def test_a_group_may_be_in_a_related_record(orders):
    """A path over single relations leads to a key; the list rule of what it leads to holds."""
    await orders.change("users", listRule='name = "Ann"')
    found = await items(orders, fields="count()", groupBy="owner.name")

    assert found == [{"owner.name": "Ann", "count()": 2}]


async def test_filter_and_rule_narrow_it(orders):
    """Only what the caller may list is counted, and of that what the filter finds."""
    await orders.change("orders", listRule="owner = @request.auth.id")

    assert await items(orders, orders.ann, fields="count(),sum(total)") == [{"count()": 2, "sum(total)": 30.1}]
    assert await items(orders, orders.ann, filter="total > 1") == [{"count()": 1}]
    assert await items(orders) == [{"count()": 0}]
    assert await items(orders, orders.root) == [{"count()": 4}]


async def test_no_record_counts_twice(orders):
    """A rule and a filter over several related records meet a record more than once, and count it once."""
    await orders.change("orders", listRule="buyers.name ?= 'Ann' || buyers.name ?= 'Ben'")
    found = await items(orders, orders.root, filter="buyers.name ?~ 'n'", fields="count(),sum(total)")
    ruled = await items(orders, fields="count(),sum(total)", groupBy="rush")

    assert found == [{"count()": 2, "sum(total)": 30.2}]
    assert ruled == [{"rush": False, "count()": 1, "sum(total)": 0.2}, {"rush": True, "count()": 1, "sum(total)": 30}]


async def test_nothing_to_sum(orders):
    """Of no records the sum is 0, and there is no average, least or greatest."""
    found = await items(orders, filter="total > 99", fields="count(),sum(total),avg(total),min(total),max(due)")

    assert found == [{"count()": 0, "sum(total)": 0, "avg(total)": None, "min(total)": None, "max(due)": ""}]
    assert await items(orders, filter="total > 99", groupBy="status") == []


@pytest.mark.parametrize(
    ("query", "code", "part"),
    [
        ({"fields": "sum(totl)"}, "invalid_aggregate", "Did you mean 'total'"),
        ({"fields": "summ(total)"}, "invalid_aggregate", "Did you mean 'sum'"),
        ({"fields": "sum(margin)"}, "invalid_aggregate", "no field 'margin'"),
        ({"fields": "sum()"}, "invalid_aggregate", "takes a field"),
        ({"fields": "count(total)"}, "invalid_aggregate", "counts records"),
        ({"fields": "sum(note)"}, "invalid_aggregate", "takes numbers"),
        ({"fields": "min(meta)"}, "invalid_aggregate", "takes numbers or dates"),
        ({"fields": "sum(total"}, "invalid_aggregate", "no function"),
        ({"fields": "sum(total);drop"}, "invalid_aggregate", "no function"),
        ({"fields": ",".join(["count()"] * 11)}, "invalid_aggregate", "more than 10"),
        ({"groupBy": "status,rush,note,due,total"}, "invalid_aggregate", "more than 4"),
        ({"groupBy": "margin"}, "invalid_aggregate", "no field 'margin'"),
        ({"groupBy": "meta"}, "invalid_aggregate", "'meta'"),
        ({"groupBy": "tags"}, "invalid_aggregate", "'tags'"),
        ({"groupBy": "buyers"}, "invalid_aggregate", "'buyers'"),
        ({"groupBy": "buyers.name"}, "invalid_aggregate", "several values"),
        ({"groupBy": "owner.password"}, "invalid_aggregate", "no field 'password'"),
        ({"groupBy": "status:month"}, "invalid_aggregate", "holds no dates"),
        ({"groupBy": "due:week"}, "invalid_aggregate", "no unit"),
        ({"groupBy": "@request.auth.id"}, "invalid_aggregate", "no field"),
        ({"groupBy": "status", "sort": "cout()"}, "invalid_aggregate", "Did you mean 'count()'"),
        ({"filter": "nope = 1"}, "unknown_field", "position 1"),
        ({"filter": "@request.auth.id = ''"}, "superuser_filter", "@request"),
    ],
)
async def test_what_cannot_be_is_refused(orders, query, code, part):
    """What is wrong is a 400 or 403 that names the part, and hidden fields do not exist."""
    answer = await ask(orders, **query)

    assert answer.status in {400, 403}
    assert answer.error.code == code
    assert part in answer.error.message


async def test_superusers_meet_no_secrets(orders):
    """Superusers sum hidden fields, and group by no password."""
    users = "/api/collections/users/aggregate"
    answer = await orders.client.get(users, as_=orders.root, groupBy="tokenKey")

    assert await items(orders, orders.root, fields="sum(margin)") == [{"sum(margin)": 0}]
    assert (answer.status, answer.error.code) == (400, "invalid_aggregate")


async def test_addresses_stay_hidden(orders):
    """Accounts that hide their address are in one group, which has none."""
    await orders.change("users", listRule="")
    answer = await orders.client.get("/api/collections/users/aggregate", as_=orders.ann, groupBy="email")

    assert answer.json["items"] == [{"email": "", "count()": 2}]


async def test_a_null_rule_is_for_superusers(orders):
    """Without a list rule only superusers may sum."""
    await orders.change("orders", listRule=None)

    assert (await ask(orders)).status == 403
    assert (await ask(orders, orders.root)).status == 200


async def test_views_are_summed_too(orders):
    """A view is summed like any other collection."""
    view = {"name": "totals", "type": "view", "listRule": "", "viewQuery": "SELECT id, status, total FROM orders"}
    assert (await orders.client.post("/api/collections", view, as_=orders.root)).status == 200
    answer = await orders.client.get("/api/collections/totals/aggregate", fields="sum(total)", groupBy="status")

    assert [each["sum(total)"] for each in answer.json["items"]] == [-5, 0.3, 30]
