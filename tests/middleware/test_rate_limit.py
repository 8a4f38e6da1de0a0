"""Rate limits: how often one caller may ask for something, by the rules of the settings."""

import logging

import pytest

from undercroft import testing

pytestmark = pytest.mark.anyio

OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
NOTES = "/api/collections/notes/records"
HEALTH = "/api/health"
LOGIN = "/api/collections/users/auth-with-password"


@pytest.fixture
async def limited(tmp_path, database):
    """A client whose requests are counted, and a superuser's token; `notes` are open to all."""
    async with testing.client(tmp_path, database, rate_limits=True) as client:
        token = await client.superuser()
        body = {"name": "notes", "type": "base", "fields": [{"name": "text", "type": "text"}], **OPEN}
        assert (await client.post("/api/collections", body, as_=token)).status == 200
        yield client, token


def rule(label, most=1, audience="", seconds=60):
    return {"label": label, "maxRequests": most, "duration": seconds, "audience": audience}


async def obey(limited, *rules, **more):
    """Have these rules count."""
    client, token = limited
    settings = {"rateLimits": {"enabled": True, "rules": list(rules), **more}, "batch": {"enabled": True}}
    assert (await client.patch("/api/settings", settings, as_=token)).status == 200


async def statuses(ask, times):
    return [(await ask()).status for _ in range(times)]


async def test_what_is_refused(limited):
    """429, in the shape of every error, with the seconds to wait."""
    client, _ = limited
    await obey(limited, rule("notes:list", 2))
    assert await statuses(lambda: client.get(NOTES), 2) == [200, 200]

    answer = await client.get(NOTES)
    assert answer.status == 429
    assert answer.json == {"data": {}, "message": "Too Many Requests.", "status": 429}
    assert answer.error.code == "rate_limited"
    assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_a_window_ends(limited):
    """After the seconds that the answer names there is room again."""
    client, _ = limited
    await obey(limited, rule(HEALTH, 1, seconds=1))
    assert await statuses(lambda: client.get(HEALTH), 2) == [200, 429]

    client.backend.limiter.tallies._own.clear()
    assert await statuses(lambda: client.get(HEALTH), 1) == [200]


async def test_a_new_project_is_limited(limited):
    """Log-ins and new records are, for everybody but superusers, without a word from anybody."""
    client, token = limited
    assert (await client.get("/api/settings", as_=token)).json["rateLimits"]["enabled"] is True
    guess = {"identity": "a@example.com", "password": "wrong"}

    assert await statuses(lambda: client.post(LOGIN, guess), 3) == [400, 400, 429]
    assert (await statuses(lambda: client.post(NOTES, {"text": "x"}), 21))[-2:] == [200, 429]
    assert await statuses(lambda: client.post(NOTES, {"text": "x"}, as_=token), 25) == [200] * 25


@pytest.mark.parametrize(
    ("label", "paths", "expected"),
    [
        ("GET /api/health", [HEALTH] * 2, [200, 429]),
        ("POST /api/health", [HEALTH] * 2, [200, 200]),
        ("/api/he", [HEALTH] * 2, [200, 200]),
        ("/api/", [HEALTH, NOTES, HEALTH, NOTES], [200, 200, 429, 429]),
        ("GET /api/", [HEALTH] * 2, [200, 429]),
        ("*:list", [NOTES, "/api/collections/users/records"] * 2, [200, 200, 429, 429]),
        ("notes:list", [NOTES, "/api/collections/NOTES/records"], [200, 429]),
        ("*:list", [NOTES, "/api/%63ollections/notes/records"], [200, 429]),
        (HEALTH, [HEALTH, "/api/%68ealth"], [200, 429]),
    ],
)
async def test_what_a_rule_is_about(limited, label, paths, expected):
    """A path, what it begins with, with or without a method; or what is done to a collection, however that is named."""
    client, token = limited
    await client.patch("/api/collections/users", {"listRule": ""}, as_=token)
    await obey(limited, rule(label))

    assert [(await client.get(path)).status for path in paths] == expected


async def test_items_of_a_batch_count(limited):
    """As if each had come alone."""
    client, _ = limited
    await obey(limited, rule("notes:create", 3))
    items = [{"method": "POST", "url": NOTES, "body": {"text": "x"}}] * 2

    assert (await client.post("/api/batch", {"requests": items})).status == 200
    refused = await client.post("/api/batch", {"requests": items})
    assert refused.status == 400
    assert refused.json["data"]["requests"]["1"]["response"]["status"] == 429
    assert (await client.post(NOTES, {"text": "x"})).status == 429


async def test_who_is_excluded(limited):
    """Addresses and networks that the settings name are not counted."""
    client, _ = limited
    await obey(limited, rule(HEALTH), excludedIPs=["127.0.0.0/8"])

    assert await statuses(lambda: client.get(HEALTH), 3) == [200] * 3


async def test_callers_behind_a_proxy(limited, caplog):
    """They are told apart by the header of a proxy that is declared, a whole /64 of IPv6 being one caller."""
    client, token = limited
    await obey(limited, rule(HEALTH))

    def ask(address):
        return client.get(HEALTH, headers={"X-Forwarded-For": address})

    with caplog.at_level(logging.WARNING, "undercroft"):
        assert [(await ask(f"192.0.2.{n}")).status for n in range(4)] == [200, 429, 429, 429]
    assert caplog.text.count("Set trustedProxy.headers") == 1

    await client.patch("/api/settings", {"trustedProxy": {"headers": ["X-Forwarded-For"]}}, as_=token)
    assert [(await ask(f"192.0.2.{n}")).status for n in range(4)] == [200] * 4
    assert [(await ask(f"2001:db8::{n}")).status for n in range(1, 4)] == [200, 429, 429]
    assert (await ask("2001:db8:0:1::1")).status == 200


async def test_other_rules_begin_anew(limited):
    """Who changes the rules lets everybody in again."""
    client, _ = limited
    await obey(limited, rule(HEALTH))
    assert await statuses(lambda: client.get(HEALTH), 2) == [200, 429]
    await obey(limited, rule(HEALTH, 2))

    assert await statuses(lambda: client.get(HEALTH), 3) == [200, 200, 429]


async def test_a_server_that_is_not_to_limit(client):
    """Neither rules nor counts matter to it."""
    assert client.backend.settings.rate_limits.enabled
    assert (await statuses(lambda: client.post(LOGIN, {"identity": "a", "password": "b"}), 4)) == [400] * 4


async def test_looking_at_the_head_counts(limited):
    """HEAD does the work of GET, and counts as it."""
    client, _ = limited
    await obey(limited, rule(f"GET {HEALTH}", 2))

    assert await statuses(lambda: client.request("HEAD", HEALTH), 2) == [200, 200]
    assert (await client.get(HEALTH)).status == 429
    assert (await client.request("HEAD", HEALTH)).status == 429
