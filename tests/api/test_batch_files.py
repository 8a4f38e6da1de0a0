"""Files in a batch belong to its requests."""

from __future__ import annotations

import json

import pytest
from stored import due, keys_of, stored, waiting

from undercroft.testing import File

PATH = "/api/collections/things/records"
OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
FIELDS = [
    {"name": "title", "type": "text", "max": 5},
    {"name": "one", "type": "file", "maxSize": 1000},
    {"name": "many", "type": "file", "maxSelect": 4},
]


@pytest.fixture
async def things(client):
    root = await client.superuser()
    await client.patch("/api/settings", {"batch": {"enabled": True}}, as_=root)
    await client.post("/api/collections", {"name": "things", "type": "base", "fields": FIELDS, **OPEN}, as_=root)
    return client


async def send(client, requests, **files):
    steps = [{"method": method, "url": url, "body": body} for method, url, body in requests]
    return await client.post("/api/batch", form={"@jsonPayload": json.dumps({"requests": steps}), **files})


async def is_tidy(client, *records):
    named = sorted(key for record in records for key in keys_of(record, "one", "many"))
    assert (await stored(client), await due(client), waiting(client)) == (named, [], [])
    return True


def txt(name):
    return File(f"{name}.txt", name.encode())


def first_words(record):
    return [name.split("_")[0] for name in record["many"]]


async def test_files_find_their_request(things):
    """Parts go to the request whose number they carry, in either spelling."""
    files = {"requests.0.one": txt("aaa"), "requests[1].many": [txt("bbb"), txt("ccc")], "requests.1.one": txt("ddd")}
    answer = await send(things, [("POST", PATH, {}), ("POST", PATH, {})], **files)
    first, second = [each["body"] for each in answer.json]

    assert (first["one"][:3], first["many"]) == ("aaa", [])
    assert (second["one"][:3], first_words(second)) == ("ddd", ["bbb", "ccc"])
    assert await is_tidy(things, first, second)


async def test_later_requests_build_on_earlier_ones(things):
    """Of a record that the batch makes it may also change the files."""
    own = f"{PATH}/{'a' * 15}"
    requests = [
        ("POST", PATH, {"id": "a" * 15}),
        ("PATCH", own, {}),
        ("PUT", PATH, {"id": "a" * 15}),
        ("PATCH", own, {}),
    ]
    files = {
        "requests.0.many": txt("bbb"),
        "requests.1.many+": txt("ccc"),
        "requests.2.+many": txt("aaa"),
        "requests.3.one": txt("one"),
    }
    answer = await send(things, requests, **files)
    last = answer.json[-1]["body"]

    assert first_words(last) == ["aaa", "bbb", "ccc"]
    assert await is_tidy(things, last)


async def test_upserts(things):
    """A PUT makes a record with files, with its own id or a new one."""
    requests = [("PUT", PATH, {"id": "b" * 15}), ("PUT", PATH, {})]
    answer = await send(things, requests, **{"requests.0.one": txt("aaa"), "requests.1.one": txt("bbb")})

    assert [each["body"]["one"][:3] for each in answer.json] == ["aaa", "bbb"]
    assert await is_tidy(things, *[each["body"] for each in answer.json])


async def test_made_and_deleted(things):
    """A record that a batch makes and deletes again leaves no file."""
    requests = [("POST", PATH, {"id": "c" * 15}), ("DELETE", f"{PATH}/{'c' * 15}", {})]
    answer = await send(things, requests, **{"requests.0.one": txt("aaa"), "requests.1.one": txt("bbb")})

    assert [each["status"] for each in answer.json] == [200, 204]
    assert await is_tidy(things)


@pytest.mark.parametrize(
    ("last", "files"),
    [
        (("POST", PATH, {"title": "too long"}), {"requests.1.one": txt("bbb")}),
        (("POST", PATH, {}), {"requests.1.one": File("b.txt", b"x" * 1001)}),
        (("PATCH", f"{PATH}/nosuch", {}), {"requests.1.one": txt("bbb")}),
        (("GET", PATH, {}), {"requests.1.one": txt("bbb")}),
        (("POST", "/api/collections/nosuch/records", {}), {"requests.1.one": txt("bbb")}),
    ],
)
async def test_one_fails_so_none_is_kept(things, last, files):
    """When a request fails, the files of all of them go."""
    answer = await send(things, [("POST", PATH, {}), last], **{"requests.0.one": txt("aaa"), **files})

    assert (answer.status, list(answer.error.data["requests"])) == (400, ["1"])
    assert await is_tidy(things)


@pytest.mark.parametrize("name", ["requests.7.one", "requests.0.nosuch", "requests.00.one", "requests.one", "one"])
async def test_files_of_nobody(things, name):
    """A part that belongs to no field of any request is not kept."""
    answer = await send(things, [("POST", PATH, {})], **{name: txt("aaa"), "requests.0.title": "x"})

    assert answer.status == 200
    assert await is_tidy(things, answer.json[0]["body"])
