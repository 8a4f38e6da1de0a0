"""API keys: what they let an account's programs do, when they end, and that nothing else opens with them."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from api_keys import PASSWORD, House, open_house, open_site
from stopwatch import Stopwatch

from undercroft.api.routes import ROUTES
from undercroft.auth import api_keys, key_uses
from undercroft.auth.api_keys import MOST
from undercroft.records.record import find_identity
from undercroft.testing import TestClient

pytestmark = pytest.mark.anyio
POSTS, SECRETS, MEMBERS = (f"/api/collections/{name}/records" for name in ("posts", "secrets", "members"))


@pytest.fixture
async def house(client: TestClient) -> House:
    return await open_house(client)


async def test_a_key_acts_for_its_account(house: House):
    """As its rules see it: what the account may not do, its key may not do either."""
    key = await house.key("ada", "*")

    mine = await house.client.get(POSTS, as_=key)
    others = await house.client.get(SECRETS, as_=key)

    assert [item["title"] for item in mine.json["items"]] == ["by Ada"]
    assert (others.status, others.code) == (403, "superusers_only")
    assert (await house.client.get("/api/settings", as_=key)).status == 403
    assert (await house.client.get("/api/settings", as_=await house.key("root", "*"))).status == 200


@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer "])
async def test_it_is_sent_as_tokens_are(house: House, scheme: str):
    """As it is, or after `Bearer`."""
    key = await house.key("ada", "posts:read")

    assert (await house.client.get(POSTS, as_=scheme + key)).json["totalItems"] == 1


async def test_it_is_told_once(house: House):
    """The whole key is in the answer that makes it, and nowhere after that."""
    form = {"name": "import", "scopes": ["posts:write", "read"], "expires": "2100-01-01"}
    made = (await house.client.post("/api/api-keys", form, as_=house.tokens["ada"])).json
    secret = made["key"].rpartition("_")[2]
    listed = await house.client.get("/api/api-keys", as_=house.tokens["ada"])

    assert made["key"].startswith(f"{made['prefix']}_")
    assert len(secret) == 43
    shown = {name: value for name, value in made.items() if name != "key"}
    assert listed.json == {"items": [shown]}
    assert (shown["name"], shown["scopes"]) == ("import", ["posts:write", "read"])
    assert (shown["expires"], shown["used"]) == ("2100-01-01 00:00:00.000Z", "")
    assert secret not in listed.text


async def test_nothing_that_is_stored_opens_anything(house: House):
    """No table has the secret of a key."""
    secret = (await house.key("ada", "*")).rpartition("_")[2]
    read, dialect = house.client.backend.engine.read, house.client.backend.engine.dialect
    tables = [str(name) for (name,) in await read(dialect.list_tables(), ())]
    rows = {name: str(await read(f"SELECT * FROM {dialect.quote(name)}", ())) for name in tables}

    assert "ada" in rows["members"]
    assert [name for name, text in rows.items() if secret in text] == []


async def test_no_log_and_no_error_has_it(house: House, caplog: pytest.LogCaptureFixture):
    """Whatever it is refused with."""
    caplog.set_level("DEBUG")
    key = await house.key("ada", "posts:read")
    asked = [
        ("GET", SECRETS),
        ("POST", POSTS),
        ("GET", "/api/settings"),
        ("GET", "/api/nothing"),
        ("GET", "/api/api-keys"),
    ]

    answers = [await house.client.request(method, path, as_=key) for method, path in asked]

    assert [answer.status for answer in answers] == [403, 403, 403, 404, 403]
    told = "".join(answer.text for answer in answers) + caplog.text
    assert key.rpartition("_")[2] not in told


SCOPES = [
    ("*", "GET", POSTS, 200),
    ("*", "POST", POSTS, 200),
    ("*", "GET", "/api/collections", 200),
    ("*", "POST", "/api/collections", 400),
    ("read", "GET", POSTS, 200),
    ("read", "HEAD", SECRETS, 200),
    ("read", "GET", "/api/settings", 200),
    ("read", "POST", POSTS, 403),
    ("read", "PATCH", "/api/settings", 403),
    ("read", "POST", "/api/crons/none", 403),
    ("posts:read", "GET", POSTS, 200),
    ("posts:read", "GET", "/api/collections/posts/aggregate", 200),
    ("posts:read", "GET", "/api/collections/posts/auth-methods", 404),
    ("posts:read", "POST", POSTS, 403),
    ("posts:read", "GET", SECRETS, 403),
    ("posts:read", "GET", "/api/collections/secrets/aggregate", 403),
    ("posts:read", "GET", "/api/collections", 403),
    ("posts:read", "GET", "/api/health", 403),
    ("posts:write", "GET", POSTS, 200),
    ("posts:write", "POST", POSTS, 200),
    ("posts:write", "POST", SECRETS, 403),
    ("posts:write", "GET", SECRETS, 403),
    ("posts:read", "POST", "/api/uploads", 403),
]


@pytest.mark.parametrize(("scope", "method", "path", "status"), SCOPES)
async def test_scopes(house: House, scope: str, method: str, path: str, status: int):
    """What a superuser's key opens with each scope."""
    key = await house.key("root", scope)
    body = {"json": {"title": "new"}} if method == "POST" and path != "/api/uploads" else {}

    answer = await house.client.request(method, path, as_=key, **body)

    assert answer.status == status
    if status == 403:
        assert answer.code == "scope_missing"


@pytest.mark.parametrize(
    ("scope", "method", "path", "missing"),
    [
        ("posts:read", "POST", POSTS, "posts:write"),
        ("posts:write", "GET", SECRETS, "secrets:read"),
        ("posts:write", "GET", "/api/settings", "read"),
        ("read", "POST", SECRETS, "secrets:write"),
        ("read", "PATCH", "/api/settings", "*"),
        ("read", "POST", "/api/uploads", "COLLECTION:write"),
    ],
)
async def test_what_is_missing_is_named(house: House, scope: str, method: str, path: str, missing: str):
    """The message says which scope would do."""
    answer = await house.client.request(method, path, as_=await house.key("root", scope))

    assert answer.error.message == f"The API key lacks the scope '{missing}'."


async def test_a_collection_that_is_renamed_is_still_the_one(house: House):
    """Another one that takes the name is not covered."""
    key = await house.key("root", "posts:read")
    await house.make(200, "PATCH", "/api/collections/posts", {"name": "articles"})
    await house.make(200, "POST", "/api/collections", {"name": "posts", "type": "base"})

    assert (await house.client.get("/api/collections/articles/records", as_=key)).status == 200
    assert (await house.client.get(POSTS, as_=key)).status == 403
    listed = await house.client.get("/api/api-keys", as_=house.tokens["root"])
    assert listed.json["items"][0]["scopes"] == ["articles:read"]


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "secret.code = '007'"},
        {"filter": "secret.code:lower = '007'"},
        {"filter": "@collection.secrets.code ?= '007'"},
        {"filter": "owner.email ~ 'ada'"},
        {"filter": "@request.auth.secrets_via_keeper.code ?= '007'"},
        {"sort": "secret.code"},
        {"filter": "secret.posts_via_secret.title ?= 'x'"},
    ],
)
async def test_filters_lead_no_further(house: House, query: dict[str, str]):
    """Nobody asks by filters and sorts for what the key does not cover, whoever the account is."""
    key = await house.key("root", "posts:read")

    assert (await house.client.get(POSTS, as_=house.tokens["root"], **query)).status == 200
    answer = await house.client.get(POSTS, as_=key, **query)
    assert (answer.status, answer.code) == (403, "scope_missing")
    both = await house.key("root", "posts:read", "secrets:read", "members:read", "_superusers:read")
    assert (await house.client.get(POSTS, as_=both, **query)).status == 200


async def test_sums_lead_no_further(house: House):
    """Nor is anything summed up or grouped by that the key does not cover."""
    key, path = await house.key("root", "posts:read"), "/api/collections/posts/aggregate"

    for query in ({"groupBy": "secret.code"}, {"fields": "max(secret.n)"}, {"filter": "secret.n > 1"}):
        assert (await house.client.get(path, as_=house.tokens["root"], **query)).status == 200
        assert (await house.client.get(path, as_=key, **query)).code == "scope_missing"


async def test_rules_look_where_they_like(house: House):
    """What a rule asks of other collections is the server's own business."""
    await house.make(200, "PATCH", "/api/collections/posts", {"listRule": "secret.code = '007' || owner.id != ''"})
    key = await house.key("ada", "posts:read")

    assert (await house.client.get(POSTS, as_=key)).json["totalItems"] == 1


async def test_what_is_not_covered_is_not_expanded(house: House):
    """It is left out, as what a view rule hides is."""
    narrow, wide = await house.key("root", "posts:read"), await house.key("root", "posts:read", "secrets:read")

    without = (await house.client.get(POSTS, as_=narrow, expand="secret,owner")).json["items"][0]
    having = (await house.client.get(POSTS, as_=wide, expand="secret,owner")).json["items"][0]

    assert "expand" not in without
    assert list(having["expand"]) == ["secret"]


async def test_explanations_show_what_others_see(house: House):
    """So they take a key that reads everything."""
    asked = {"x-undercroft-explain": "1", "x-undercroft-as": "guest"}

    narrow = await house.client.get(POSTS, as_=await house.key("root", "posts:read"), headers=asked)
    wide = await house.client.get(POSTS, as_=await house.key("root", "read"), headers=asked)

    assert (narrow.status, narrow.code) == (403, "scope_missing")
    assert wide.status == 200


async def test_batches_are_covered_request_by_request(house: House):
    """One that is not ends the batch, and nothing is written."""
    key = await house.key("root", "posts:write")
    await house.make(200, "PATCH", "/api/settings", {"batch": {"enabled": True}})
    good = {"method": "POST", "url": POSTS, "body": {"title": "batched"}}
    bad = [
        {"method": "POST", "url": SECRETS, "body": {"code": "x"}},
        {"method": "PUT", "url": SECRETS, "body": {"id": house.secret, "code": "x"}},
        {"method": "PATCH", "url": f"{SECRETS}/{house.secret}", "body": {"code": "x"}},
        {"method": "DELETE", "url": f"{SECRETS}/{house.secret}"},
    ]

    for each in bad:
        answer = await house.client.post("/api/batch", {"requests": [good, each]}, as_=key)
        inner = answer.json["data"]["requests"]["1"]["response"]
        assert (answer.status, inner["status"]) == (400, 403)
        assert inner["message"] == "The API key lacks the scope 'secrets:write'."
    assert (await house.client.get(POSTS, as_=key)).json["totalItems"] == 1
    assert (await house.client.post("/api/batch", {"requests": [good]}, as_=key)).status == 200


async def test_kept_answers_are_for_who_got_them(house: House):
    """A key that does not cover a write is not told what came of it by repeating it."""
    repeated, body = {"idempotency-key": "k1"}, {"code": "008"}
    made = await house.client.post(SECRETS, body, as_=house.tokens["root"], headers=repeated)

    answer = await house.client.post(SECRETS, body, as_=await house.key("root", "posts:write"), headers=repeated)

    assert made.status == 200
    assert (answer.status, answer.code) == (403, "scope_missing")


async def test_live_updates_are_covered_topic_by_topic(house: House):
    """A topic that is not is refused, and nothing of another collection comes along."""
    key = await house.key("root", "posts:read")
    async with house.client.listen() as ears:
        for topic in ("secrets/*", f"secrets/{house.secret}", "something", "nothing/*"):
            wish = {"clientId": ears.client_id, "subscriptions": ["posts/*", topic]}
            answer = await house.client.post("/api/realtime", wish, as_=key)
            assert (answer.status, answer.code) == (403, "scope_missing")
        options = '?options={"query": {"expand": "secret"}}'
        await ears.subscribe("posts/*" + options, as_=key)
        await house.make(200, "PATCH", f"{POSTS}/{house.post}", {"title": "changed"})

        event = await ears.event()
        assert event.json["record"]["title"] == "changed"
        assert "expand" not in event.json["record"]


async def test_a_filter_of_live_updates_leads_no_further(house: House):
    """Nothing is told of a change where the key does not cover what the filter asks for."""
    key, options = await house.key("root", "posts:read"), '?options={"query": {"filter": "secret.code = \'007\'"}}'
    async with (
        house.client.listen("posts/*" + options, as_=key) as narrow,
        house.client.listen("posts/*" + options, as_=house.tokens["root"]) as root,
    ):
        await house.make(200, "PATCH", f"{POSTS}/{house.post}", {"title": "changed"})

        assert (await root.event()).json["record"]["title"] == "changed"
        assert await narrow.events() == []


async def test_tokens_for_files_are_worth_no_more_than_the_key(house: House):
    """Where it does not cover the collection they open nothing, and they end with it."""
    paths = [f"/api/files/{name}" for name in (house.paper, house.dossier)]
    made = await house.made("root", "posts:read")
    token = (await house.client.post("/api/files/token", as_=made["key"])).json["token"]

    answers = [await house.client.get(path, token=token) for path in paths]
    assert [answer.status for answer in answers] == [200, 403]
    assert answers[1].error.message == "The API key lacks the scope 'secrets:read'."
    await house.client.delete(f"/api/api-keys/{made['id']}", as_=house.tokens["root"])
    assert (await house.client.get(paths[0], token=token)).status == 404


NEVER = [route for route in ROUTES if route.reach == "none"]


def test_all_ways_to_accounts_are_among_them():
    """Every endpoint of the ways in, but for the one that says which there are."""
    ways = {route for route in ROUTES if route.handler.__module__.startswith("undercroft.api.auth.")}

    assert {route.pattern.rpartition("/")[2] for route in ways - set(NEVER)} == {"auth-methods"}
    assert len(NEVER) >= 40


@pytest.mark.parametrize("route", NEVER, ids=lambda route: f"{route.method} {route.pattern}")
async def test_no_key_changes_how_accounts_are_reached(house: House, route: Any):
    """Not with every scope of a superuser either."""
    parts = {"collection": "members", "id": house.ids["ada"]}

    answer = await house.client.request(route.method, route.pattern.format_map(parts), as_=await house.key("root", "*"))

    assert (answer.status, answer.code) == (403, "not_with_key")


@pytest.mark.parametrize(
    "body",
    [
        {"password": "another-horse-9", "passwordConfirm": "another-horse-9"},
        {"oldPassword": "correct-horse-9", "password": "another-horse-9", "passwordConfirm": "another-horse-9"},
        {"email": "other@example.com"},
        {"tokenKey": "x" * 50},
        {"tokenKey:autogenerate": ""},
        {"+email": "x"},
    ],
)
async def test_records_are_no_way_around(house: House, body: dict[str, str]):
    """An account's credentials are not written, alone or in a batch, as JSON or as a form."""
    key, path = await house.key("root", "*"), f"{MEMBERS}/{house.ids['ada']}"
    await house.make(200, "PATCH", "/api/settings", {"batch": {"enabled": True}})
    upsert = {"method": "PUT", "url": MEMBERS, "body": {"id": house.ids["ada"], **body}}

    alone, as_form = await house.client.patch(path, body, as_=key), await house.client.patch(path, form=body, as_=key)
    batched = [{"method": "PATCH", "url": path, "body": body}, upsert]
    answers = [await house.client.post("/api/batch", {"requests": [each]}, as_=key) for each in batched]

    assert [(each.status, each.code) for each in (alone, as_form)] == [(403, "not_with_key")] * 2
    assert [each.json["data"]["requests"]["0"]["response"]["status"] for each in answers] == [403, 403]
    assert (await house.client.patch(path, {"role": "staff"}, as_=key)).status == 200
    assert await house.client.login("members", "ada@example.com", "correct-horse-9")


async def test_no_key_makes_superusers(house: House):
    """Nor changes or deletes them, nor the records that accounts are reached with."""
    key = await house.key("root", "*")
    secret = {"password": "another-horse-9", "passwordConfirm": "another-horse-9"}
    records = "/api/collections/_superusers/records"

    answers = [
        await house.client.post(records, {"email": "new@example.com", **secret}, as_=key),
        await house.client.patch(f"{records}/{house.ids['root']}", {"emailVisibility": True}, as_=key),
        await house.client.delete(f"{records}/{house.ids['root']}", as_=key),
        await house.client.post("/api/collections/_externalAuths/records", {}, as_=key),
    ]

    assert [(answer.status, answer.code) for answer in answers] == [(403, "not_with_key")] * 4
    assert (await house.client.get(records, as_=key)).status == 200


async def test_a_revoked_key_opens_nothing(house: House):
    """And its connections of live updates are closed."""
    made = await house.made("ada", "posts:read")
    async with house.client.listen("posts/*", as_=made["key"]) as ears:
        answer = await house.client.delete(f"/api/api-keys/{made['id']}", as_=house.tokens["ada"])
        watch = Stopwatch()

        assert answer.status == 204
        assert await house.is_nobody(made["key"])
        await house.until(lambda: ears.is_over)
        assert watch.seconds() < 1


async def test_an_expired_key_opens_nothing(house: House):
    """From the moment it names on."""
    made = await house.made("ada", "posts:read", expires=house.date_in(1.5))
    async with house.client.listen("posts/*", as_=made["key"]) as ears:
        assert (await house.client.get(POSTS, as_=made["key"])).json["totalItems"] == 1
        await house.until(lambda: ears.is_over)

        assert await house.is_nobody(made["key"])


@pytest.mark.parametrize("event", ["password", "email", "block", "deletion", "tokenKey", "secret", "authRule"])
async def test_what_ends_tokens_ends_keys(house: House, event: str):
    """A new password, another address, a block, and the end of the account."""
    key, path = await house.key("ada", "*"), f"{MEMBERS}/{house.ids['ada']}"
    ends = {
        "password": ("PATCH", path, {"password": "another-horse-9", "passwordConfirm": "another-horse-9"}),
        "email": ("PATCH", path, {"email": "eva@example.com"}),
        "tokenKey": ("PATCH", path, {"tokenKey:autogenerate": ""}),
        "block": ("POST", f"/api/collections/members/block/{house.ids['ada']}", {"reason": "gone"}),
        "deletion": ("DELETE", path, {}),
        "secret": ("PATCH", "/api/collections/members", {"authToken": {"secret": "x" * 40, "duration": 3600}}),
        "authRule": ("PATCH", "/api/collections/members", {"authRule": "email != ''"}),
    }
    method, where, body = ends[event]
    async with house.client.listen("posts/*", as_=key) as ears:
        answer = await house.client.request(method, where, body, as_=house.tokens["root"])
        assert answer.status in {200, 204}

        assert await house.is_nobody(key)
        await house.until(lambda: ears.is_over)


async def test_whom_the_rule_lets_in_no_more(house: House):
    """A key has no log-in, so the rule of who may come in is asked at each request."""
    path = f"{MEMBERS}/{house.ids['ada']}"
    await house.make(200, "PATCH", "/api/collections/members", {"authRule": "verified = true"})
    await house.make(200, "PATCH", path, {"verified": True})
    house.tokens["ada"] = await house.client.login("members", "ada@example.com", PASSWORD)
    key = await house.key("ada", "*")
    assert not await house.is_nobody(key)
    token = (await house.client.post("/api/files/token", as_=key)).json["token"]
    paper = f"/api/files/{house.paper}"
    assert (await house.client.get(paper, token=token)).status == 200

    async with house.client.listen("posts/*", as_=key) as ears:
        await house.make(200, "PATCH", path, {"verified": False})
        assert await house.is_nobody(key)
        assert (await house.client.get(paper, token=token)).status == 404
        await house.client.backend.live.end_closed()
        await house.until(lambda: ears.is_over)

    await house.make(200, "PATCH", path, {"verified": True})
    assert not await house.is_nobody(key)


async def test_where_nobody_logs_in(house: House):
    """The rule that lets nobody log in leaves keys that are made afterwards alone: programs have no log-in."""
    await house.make(200, "PATCH", "/api/collections/members", {"authRule": None})
    members = house.client.backend.catalog.collection("members")
    engine = house.client.backend.engine
    ada = await find_identity(engine.read, engine.dialect, members, {"id": house.ids["ada"]})
    wanted = api_keys.Wanted("nightly", ("*",))
    _, key = await engine.write(lambda tx: api_keys.add_key(tx, engine.dialect, ada, wanted))

    assert not await house.is_nobody(key)


async def test_a_rule_about_log_ins_says_nothing_of_keys(house: House):
    """By which way somebody comes in is nothing that a key could be asked."""
    await house.make(200, "PATCH", "/api/collections/members", {"authRule": "@request.context = 'password'"})
    house.tokens["ada"] = await house.client.login("members", "ada@example.com", PASSWORD)

    assert not await house.is_nobody(await house.key("ada", "*"))


async def test_a_rule_about_requests_is_asked_of_each(house: House):
    """With the headers that came with the key."""
    rule = "@request.headers.x_app = 'ours'"
    await house.make(200, "PATCH", "/api/collections/members", {"authRule": rule})
    form, headers = {"identity": "ada@example.com", "password": PASSWORD}, {"x-app": "ours"}
    answer = await house.client.post("/api/collections/members/auth-with-password", form, headers=headers)
    house.tokens["ada"] = answer.json["token"]
    key = await house.key("ada", "*")

    listed = await house.client.get("/api/api-keys", as_=key, headers=headers)
    assert (listed.status, listed.code) == (403, "not_with_key")
    assert (await house.client.get("/api/api-keys", as_=key)).status == 401


async def test_a_rule_that_cannot_work(house: House):
    """Lets in no key, and holds up nothing else: those who listen, and superusers, go on."""
    field = {"name": "active", "type": "bool"}
    members = (await house.client.get("/api/collections/members", as_=house.tokens["root"])).json
    teams = {"name": "teams", "type": "base", "fields": [field]}
    await house.make(200, "POST", "/api/collections", teams)
    await house.make(200, "PATCH", "/api/collections/members", {"authRule": "@collection.teams.active ?!= true"})
    await house.make(200, "POST", "/api/collections/teams/records", {"active": False})
    house.tokens["ada"] = await house.client.login("members", "ada@example.com", PASSWORD)
    key = await house.key("ada", "*")
    async with house.client.listen("posts/*", as_=key) as ears:
        gone = await house.client.delete("/api/collections/teams", as_=house.tokens["root"])
        assert gone.status == 204
        await house.client.backend.live.end_closed()
        await house.until(lambda: ears.is_over)

    assert await house.is_nobody(key)
    assert (await house.client.get("/api/settings", as_=house.tokens["root"])).status == 200
    await house.make(200, "PATCH", f"/api/collections/{members['id']}", {"authRule": ""})


async def test_of_what_is_worth_nothing_nothing_stays(house: House):
    """With another secret of the collection sessions, keys and the files' tokens they had are gone, not kept on a list."""
    key = await house.key("ada", "*")
    token = (await house.client.post("/api/files/token", as_=key)).json["token"]
    secret = {"authToken": {"secret": "x" * 40, "duration": 3600}}
    await house.make(200, "PATCH", "/api/collections/members", secret)
    house.tokens["ada"] = await house.client.login("members", "ada@example.com", PASSWORD)

    assert (await house.client.get("/api/api-keys", as_=house.tokens["ada"])).json["items"] == []
    assert len((await house.client.get("/api/sessions", as_=house.tokens["ada"])).json["items"]) == 1
    assert (await house.client.get(f"/api/files/{house.paper}", token=token)).status == 404


async def test_nothing_but_the_key_is_the_key(house: House):
    """No beginning of it, nothing longer, no other spelling: each is a guest's."""
    key = await house.key("ada", "*")
    prefix, secret = key[:-43], key[-43:]
    other = await house.key("ben", "*")
    wrong = [key[:length] for length in range(1, len(key))]
    wrong += [key + more for more in ("x", " ", "=", "\n", "\0", "_", "__", "x" * 5000)]
    wrong += [f" {key}", f"Bearer  {key}", f"Basic {key}", f"Bearer Bearer {key}", f"{key},{key}", f"{key} {key}"]
    wrong += [
        key.upper(),
        key.swapcase(),
        key.replace("uck_", "UCK_"),
        key.replace("_", "-"),
        secret,
        prefix + secret[::-1],
    ]
    wrong += [
        other[:-43] + secret,
        prefix + other[-43:],
        f"uck__{secret}",
        f"uck_{'a' * 15}_{secret}",
        "uck_%_%",
        "uck_'--_",
    ]
    wrong += [prefix + secret[:-1] + "é", f"{prefix}{secret[:-1]}\xff"]

    believed = [each for each in wrong if (await house.client.get("/api/api-keys", as_=each)).status != 401]
    shown = [each for each in wrong if (await house.client.get(POSTS, as_=each)).json["totalItems"] != 0]

    assert len(wrong) > 80
    assert (believed, shown) == ([], [])
    assert (await house.client.get(POSTS, as_=key)).json["totalItems"] == 1


async def test_ids_tell_nothing(house: House, monkeypatch: pytest.MonkeyPatch):
    """Of an id that is there and one that is not: the same answer, and the same one comparison in constant time."""
    made, compared = await house.made("ada", "*"), list[int]()
    monkeypatch.setattr(api_keys, "hmac", Watched(compared))

    answers = [
        await house.client.get("/api/api-keys", as_=f"uck_{key_id}_{'x' * 43}") for key_id in (made["id"], "a" * 15)
    ]

    assert answers[0].body == answers[1].body
    assert [answer.status for answer in answers] == [401, 401]
    assert compared == [64, 64]
    other = await house.client.delete(f"/api/api-keys/{made['id']}", as_=house.tokens["ben"])
    nothing = await house.client.delete(f"/api/api-keys/{'a' * 15}", as_=house.tokens["ben"])
    assert (other.status, other.body) == (404, nothing.body)


@dataclass
class Watched:
    """The module that compares, and how much it was given to compare."""

    compared: list[int] = field(default_factory=list)

    def compare_digest(self, one: str, other: str) -> bool:
        self.compared += [len(one)]
        return hmac.compare_digest(one, other)


async def test_a_table_without_secrets_is_no_use(house: House):
    """What is kept of a key is not what a key is."""
    await house.key("ada", "*")
    rows = await house.client.backend.engine.read('SELECT "id", "hash", "fingerprint" FROM "_api_keys"', ())
    key_id, kept, fingerprint = map(str, rows[0])

    for text in (kept, fingerprint, kept[:43], fingerprint[:43]):
        assert await house.is_nobody(f"uck_{key_id}_{text}")


@pytest.mark.parametrize(
    ("form", "field_name", "code"),
    [
        ({"scopes": ["*"]}, "name", "validation_required"),
        ({"name": "x" * 101, "scopes": ["*"]}, "name", "validation_length_out_of_range"),
        ({"name": "x"}, "scopes", "validation_required"),
        ({"name": "x", "scopes": ["all"]}, "scopes", "validation_invalid_scope"),
        ({"name": "x", "scopes": ["posts:delete"]}, "scopes", "validation_invalid_scope"),
        ({"name": "x", "scopes": [":read"]}, "scopes", "validation_invalid_scope"),
        ({"name": "x", "scopes": ["pots:read"]}, "scopes", "validation_unknown_collection"),
        ({"name": "x", "scopes": ["read"] * 101}, "scopes", "validation_too_many_scopes"),
        ({"name": "x", "scopes": ["*"], "expires": "soon"}, "expires", "validation_invalid_date"),
        ({"name": "x", "scopes": ["*"], "expires": "2020-01-01"}, "expires", "validation_date_not_later"),
    ],
)
async def test_what_a_key_may_be(house: House, form: dict[str, Any], field_name: str, code: str):
    """A name, scopes that mean something, and a date to come."""
    answer = await house.client.post("/api/api-keys", form, as_=house.tokens["ada"])

    assert answer.status == 400
    assert answer.error.data[field_name]["code"] == code


@pytest.mark.parametrize(
    "form", [{"name": 1}, {"scopes": "*"}, {"scopes": [1]}, [], "x", {"name": "x", "scopes": {"a": 1}}]
)
async def test_what_is_no_form(house: House, form: Any):
    """400, and no key."""
    assert (await house.client.post("/api/api-keys", form, as_=house.tokens["ada"])).status == 400
    assert (await house.client.get("/api/api-keys", as_=house.tokens["ada"])).json == {"items": []}


async def test_an_account_has_so_many_at_most(house: House):
    """Others have theirs."""
    for _ in range(MOST):
        await house.key("ada", "read")

    form = {"name": "one more", "scopes": ["read"]}
    answer = await house.client.post("/api/api-keys", form, as_=house.tokens["ada"])

    assert (answer.status, answer.code) == (400, "too_many_api_keys")
    assert await house.key("ben", "read")


async def test_whose_keys_are_whose(house: House):
    """Everybody sees and revokes their own; superusers those of anybody."""
    made = await house.made("ada", "read")
    asked = {"collection": "members", "record": house.ids["ada"]}
    listed = {
        name: (await house.client.get("/api/api-keys", as_=house.tokens[name], **asked)).json["items"]
        for name in ("ada", "ben", "root")
    }

    assert [len(items) for items in listed.values()] == [1, 0, 1]
    assert (await house.client.get("/api/api-keys", as_=house.tokens["root"])).json["items"] == []
    unknown = [asked | {"record": "nobody"}, asked | {"collection": "posts"}, {"collection": "members"}]
    for query in unknown:
        assert (await house.client.get("/api/api-keys", as_=house.tokens["root"], **query)).status == 404
    assert (await house.client.get("/api/api-keys")).status == 401
    assert (await house.client.delete(f"/api/api-keys/{made['id']}", as_=house.tokens["ben"])).status == 404
    assert (await house.client.delete(f"/api/api-keys/{made['id']}", as_=house.tokens["root"])).status == 204
    assert (await house.client.delete(f"/api/api-keys/{made['id']}", as_=house.tokens["root"])).status == 404


async def test_who_makes_one_has_just_signed_in(house: House):
    """A token that somebody left lying about, or that a superuser had for somebody, makes no keys."""
    path = f"/api/collections/members/impersonate/{house.ids['ada']}"
    borrowed = (await house.client.post(path, {}, as_=house.tokens["root"])).json["token"]

    answer = await house.client.post("/api/api-keys", {"name": "x", "scopes": ["*"]}, as_=borrowed)

    assert (answer.status, answer.code) == (403, "sign_in_again")


async def test_the_account_is_told(house: House):
    """By letter, as of every other change of how it is reached."""
    await house.key("ada", "read", name="nightly import")

    letter = await house.client.letter("ada@example.com")

    assert "nightly import" in letter.as_string()


async def test_its_last_use_is_known(house: House, monkeypatch: pytest.MonkeyPatch):
    """When and from where, a moment later: no request writes it, and of a key it is written once a minute."""
    key, engine, uses = await house.key("ada", "posts:read"), house.client.backend.engine, house.client.backend.key_uses
    read = 'SELECT "used", "address" FROM "_api_keys"'
    await house.client.get(POSTS, as_=key)
    assert await engine.read(read, ()) == [(0.0, "")]

    await uses.write(engine)
    ((first, address),) = await engine.read(read, ())
    await house.client.get(POSTS, as_=key)
    await uses.write(engine, is_last=True)
    ((second, _),) = await engine.read(read, ())

    assert abs(first - time.time()) < 30
    assert (address, second) == ("127.0.0.1", first)
    listed = await house.client.get("/api/api-keys", as_=house.tokens["ada"])
    assert listed.json["items"][0]["used"] > "2020"
    monkeypatch.setattr(key_uses, "SECONDS", 0.0)
    await house.client.get(POSTS, as_=key)
    await uses.write(engine)
    assert (await engine.read(read, ()))[0][0] > first


async def test_a_superusers_key_counts_from_listed_addresses(house: House):
    """As a superuser does."""
    key = await house.key("root", "*")
    await house.make(200, "PATCH", "/api/settings", {"superuserIPs": ["10.1.2.3", "127.0.0.1"]})
    assert (await house.client.get("/api/settings", as_=key)).status == 200
    await house.make(200, "PATCH", "/api/settings", {"trustedProxy": {"headers": ["x-forwarded-for"]}})

    answer = await house.client.get("/api/settings", as_=key, headers={"x-forwarded-for": "10.9.9.9"})

    assert (answer.status, answer.code) == (403, "superuser_from_elsewhere")


async def test_own_routes_and_pages_take_whole_keys(tmp_path: Any, database: str):
    """What a site answers itself is covered by `read` and `*` alone, and forms of pages by none."""
    async with open_site(tmp_path, database) as (client, keys):
        asked = [("GET", "/api/hello"), ("POST", "/api/hello"), ("GET", "/about"), ("POST", "/about")]
        found = {
            scope: [(await client.request(method, path, as_=key)).status for method, path in asked]
            for scope, key in keys.items()
        }

    assert found == {"*": [200, 200, 200, 403], "read": [200, 403, 200, 403], "users:read": [403] * 4}
