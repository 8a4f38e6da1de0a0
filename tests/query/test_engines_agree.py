"""The same records, the same question: both engines give the same answer, whatever is compared with what."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from roots import SHARED

from undercroft import testing

pytestmark = [pytest.mark.anyio, pytest.mark.both_engines]

OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
FIELDS = [
    {"name": "title", "type": "text"},
    {"name": "n", "type": "number"},
    {"name": "flag", "type": "bool"},
    {"name": "day", "type": "date"},
    {"name": "tags", "type": "select", "maxSelect": 3, "values": ["a", "B", "5"]},
    {"name": "kind", "type": "select", "maxSelect": 1, "values": ["a", "5", "é"]},
    {"name": "meta", "type": "json"},
    {"name": "place", "type": "geoPoint"},
    {"name": "coalesce", "type": "text"},
    {"name": "value", "type": "number"},
    {"name": "min", "type": "date"},
]
ROWS = [
    {},
    {
        "coalesce": "5",
        "value": 5,
        "min": "2024-02-29",
        "title": "a",
        "n": 5,
        "flag": True,
        "day": "2024-02-29 12:30:05.250Z",
        "tags": ["a", "B"],
        "kind": "a",
        "meta": 5,
    },
    {"title": "5", "n": 5.5, "day": "2020-01-01 00:00:00.000Z", "tags": ["5"], "kind": "5", "meta": "5"},
    {"title": "É", "n": -1, "flag": True, "day": "1999-12-31 23:59:59.999Z", "kind": "é", "meta": {"a": {"b": "x"}}},
    {"title": "é_%", "n": 0, "tags": ["B"], "meta": [1, "two", None, True], "place": {"lon": 10, "lat": 50}},
    {
        "title": "B\\",
        "n": 1e20,
        "day": "2024-02-29 12:30:05.251Z",
        "meta": {"a": None},
        "place": {"lon": -75, "lat": 40},
    },
    {"title": "5.0", "n": 2024, "flag": True, "meta": True, "kind": "a", "tags": ["a", "B", "5"]},
    {"title": " ", "n": 0.1, "day": "0101-01-01 00:00:00.000Z", "meta": "a"},
    {"title": "a'b", "n": 1, "meta": {"a": 7, "b": [1, 2]}, "tags": ["a"]},
]
NAMES = [
    *("title", "n", "flag", "day", "tags", "kind", "meta", "meta.a", "meta.a.b", "meta.b.0", "meta.1", "place.lon"),
    *(
        "title:lower",
        "tags:each",
        "tags:length",
        "kind:lower",
        "up",
        "up.title",
        "up.n",
        "up.day",
        "up.tags",
        "up.meta",
    ),
    *("all.title", "all.n", "all.day", "all.tags:each", "all.meta", "all:length", "all:each", "things_via_up.title"),
    *("things_via_up.n", "coalesce", "value", "min", "up.coalesce", "all.value", "up.min", "things_via_all.tags", "id"),
    *("geoDistance(place.lon, place.lat, 8, 49)", "strftime('%Y', day)", "strftime('%H:%M:%f', day, '+1 month')"),
    *("strftime('%j %w %s', day, 'start of year', '-7 days')", "strftime('%Y-%m', up.day, 'weekday 0')"),
]
LITERALS = ["'a'", "'A%'", "'5'", "'5.0'", "5", "5.5", "0", "-1", "''", "null", "true", "false", "'2024-02-29'", "2024"]
LITERALS += ["'2024-02-29 12:30:05.250Z'", "'%'", "'_'", "'é'", "'É'", "'[\"a\"]'", "'two'", "'2020'", "' '", "1e3"]
LITERALS += ["'2024-02-29 12:30:05'", "'2024-02-30 12:00:00'", "'2024-02-29T12:30:05Z'", "'1999-12-31 23:59:59.999Z'"]
LITERALS += ["'2024-02-3'", "'2024-13-01'", "'0000-01-01'", "'2020-01-01 00:00:00.000Z'", "'2024-02-29 12:30'"]
OPERATORS = ["=", "!=", "~", "!~", "<", "<=", ">", ">=", "?=", "?!=", "?~", "?<", "?>="]
SORTS = [
    "title",
    "-n",
    "day",
    "-day",
    "flag,-title",
    "meta",
    "-tags",
    "up.title",
    "-up.day",
    "kind,n",
    "all.n",
    "-all.title",
]

OPERANDS = st.sampled_from(NAMES) | st.sampled_from(LITERALS)
TERMS = st.builds(lambda a, o, b: f"{a} {o} {b}", st.sampled_from(NAMES), st.sampled_from(OPERATORS), OPERANDS)
TERMS |= st.builds(lambda a, o, b: f"{a} {o} {b}", OPERANDS, st.sampled_from(OPERATORS), st.sampled_from(NAMES))
FILTERS = TERMS | st.builds(lambda a, j, b: f"({a}) {j} {b}", TERMS, st.sampled_from(["&&", "||"]), TERMS)


@pytest.fixture
async def engines(tmp_path, postgres, postgres_furnished):
    """A client on each engine with the same records, and the tokens of their superusers."""
    async with (
        testing.client(tmp_path / "sqlite") as one,
        testing.client(tmp_path / "postgresql", postgres.database(postgres_furnished), root=SHARED) as other,
    ):
        yield [(client, await furnish(client)) for client in (one, other)]


async def furnish(client):
    token = await client.superuser()
    body = {"name": "things", "id": "things000000000", "type": "base", "fields": FIELDS, **OPEN}
    related = {"type": "relation", "collectionId": "things000000000"}
    added = [{"name": "up", "maxSelect": 1, **related}, {"name": "all", "maxSelect": 9, **related}]
    assert (await client.post("/api/collections", body, as_=token)).status == 200
    made = await client.get("/api/collections/things", as_=token)
    change = await client.patch("/api/collections/things", {"fields": [*made.json["fields"], *added]}, as_=token)
    assert change.status == 200, change.text
    for number, row in enumerate(ROWS):
        ids = [f"thing{other:010}" for other in range(number)]
        relations = {"up": ids[number // 2 - 1] if number > 1 else "", "all": ids[::2] if number % 3 else []}
        record = {"id": f"thing{number:010}", **row, **relations}
        answer = await client.post("/api/collections/things/records", record, as_=token)
        assert answer.status == 200, answer.text
    return token


async def ask(engines, **query):
    answers = [await client.get("/api/collections/things/records", as_=token, **query) for client, token in engines]
    return [(answer.status, answer.json if answer.status == 200 else "") for answer in answers]


@pytest.mark.slow
@settings(
    max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(filter_=FILTERS, sort=st.sampled_from(SORTS))
async def test_filters_find_the_same(engines, filter_, sort):
    """The same records in the same order, or the same refusal."""
    assume("geoDistance" not in filter_ or "~" not in filter_)  # the last digits of a sine differ
    one, other = await ask(engines, filter=filter_, sort=f"{sort},id", fields="id")

    assert other == one


@pytest.mark.parametrize("sort", SORTS)
async def test_records_look_the_same(engines, sort):
    """Every value comes out as it does from the other engine, and in the same order."""
    one, other = await ask(engines, sort=f"{sort},id", expand="up,all.up")
    for answer in (one, other):
        for item in answer[1]["items"]:
            item.pop("created", None)

    assert other == one
