"""Hostile input to the whole backend: never a 5xx, never long."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stopwatch import Stopwatch

JSON = {"content-type": "application/json"}
PATIENT = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
OPEN = {"listRule": "", "viewRule": "", "createRule": "", "updateRule": "", "deleteRule": ""}
FIELDS = [
    {"name": "title", "type": "text"},
    {"name": "count", "type": "number"},
    {"name": "on", "type": "bool"},
    {"name": "when", "type": "date"},
    {"name": "tags", "type": "select", "maxSelect": 2, "values": ["a", "b"]},
    {"name": "meta", "type": "json"},
    {"name": "place", "type": "geoPoint"},
    {"name": "link", "type": "url"},
]
NAMES = st.sampled_from(
    [field["name"] for field in FIELDS] + ["id", "count+", "+tags", "tags-", "expand", "@x", "", "\0"]
)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
ODD = [
    b'{"title": NaN}',
    b'{"count": 1e400}',
    b'{"count": -1e400}',
    b'{"count": ' + b"9" * 5000 + b"}",
    b'{"title": "a", "title": "b"}',
    b'{"title": "\\ud800"}',
    b'{"title": "\xff"}',
    b'{"title": "a\\u0000b"}',
    b'{"meta": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"meta": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    b"[" * 100_000,
    b'{"meta": "' + b"x" * 2_000_000 + b'"}',
    b'{"' + b"k" * 100_000 + b'": 1}',
    b"{" + b",".join(b'"k%d":1' % n for n in range(50_000)) + b"}",
]


@pytest.fixture
async def path(client):
    """The records of a collection that anyone may do anything with."""
    body = {"name": "posts", "type": "base", "fields": FIELDS, **OPEN}
    assert (await client.post("/api/collections", body, as_=await client.superuser())).status == 200
    return "/api/collections/posts/records"


@pytest.mark.parametrize("raw", ODD, ids=[str(raw[:16]) + str(len(raw)) for raw in ODD])
async def test_odd_bodies(client, path, raw):
    """Each known trick is a record or a 4xx, within a second or two, and what was stored can be read."""
    watch = Stopwatch()
    answer = await client.post(path, body=raw, headers=JSON)

    assert answer.status < 500, answer.text
    assert watch.seconds() < 2
    assert (await client.get(path)).status == 200


@PATIENT
@given(body=st.dictionaries(NAMES, VALUES, max_size=5))
async def test_any_record(client, path, body):
    """Any object is a record or a 4xx, and a record that was taken is shown again."""
    answer = await client.post(path, body=json.dumps(body).encode(), headers=JSON)

    assert answer.status < 500, answer.text
    if answer.status == 200:
        shown = await client.get(f"{path}/{answer.json['id']}")
        assert (shown.status, shown.json) == (200, answer.json)


@PATIENT
@given(
    query=st.dictionaries(
        st.sampled_from(["fields", "expand", "sort", "filter", "page", "perPage", "skipTotal"]),
        st.text("aeidtlcoun.,*:()+-<>=!~'\"@_ 0159%\\\0é\ud7ff", max_size=25),
        min_size=1,
        max_size=4,
    )
)
async def test_any_query(client, path, query):
    """Any query is a page or a 4xx."""
    answer = await client.get(path, **query)

    assert answer.status < 500, answer.text


@PATIENT
@given(raw=st.binary(max_size=80), method=st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"]))
async def test_any_path(client, raw, method):
    """Any path is a 4xx, a redirect or something that is there."""
    target = "/" + "".join(f"%{byte:02x}" if byte % 3 else chr(byte % 94 + 33) for byte in raw)

    assert (await client.request(method, target.replace("?", "/"))).status < 500


@PATIENT
@given(
    kind=st.sampled_from(
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "x"]
    ),
    raw=st.binary(max_size=200),
    target=st.sampled_from(
        ["collections/posts/records", "batch", "collections/users/auth-with-password", "settings", "collections"]
    ),
)
async def test_any_bytes(client, path, kind, raw, target):
    """Any bytes of any kind to any endpoint are answered with less than 500."""
    answer = await client.post(f"/api/{target}", body=raw, headers={"content-type": kind})

    assert answer.status < 500, answer.text
