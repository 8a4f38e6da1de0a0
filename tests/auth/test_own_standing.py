"""What only the server says of an account is said by nobody else, by whichever way an account is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from post_office import PASSWORD, USERS, token_in

from undercroft.query.scope import Identity
from undercroft.records.record import find_record
from undercroft.testing import Answer, File

pytestmark = pytest.mark.anyio
KEY = "k" * 50
LIES: dict[str, Any] = {
    "verified": True,
    "tokenKey": KEY,
    "tokenKey:autogenerate": "kkkk",
    "tokenKey+": KEY,
    "id": "someoneelse0000",
    "created": "2001-01-01 00:00:00.000Z",
    "updated": "2001-01-01 00:00:00.000Z",
    "collectionId": "pbc_3142635823",
    "collectionName": "_superusers",
    "password+": "x",
    "+password": "x",
    "password:autogenerate": "x",
    "badge": "gold",
    "badge+": "gold",
    "owner": "someoneelse0000",
    "verified+": True,
    "VERIFIED": True,
    "TokenKey": KEY,
    "expand": {"verified": True},
}
"""Whatever somebody could like to say of themselves; `badge` is hidden, `owner` guarded by a rule."""
SECRET = {"password": PASSWORD, "passwordConfirm": PASSWORD}
WAYS = ("json", "form", "multipart", "batch", "upsert", "invitation")


@pytest.fixture
async def guild(office):
    """A collection of accounts with a hidden badge, and an owner that nobody sets for somebody else."""
    fields = [
        *(await office.client.get(USERS, as_=office.root)).json["fields"],
        {"name": "badge", "type": "text", "hidden": True},
        {"name": "owner", "type": "text"},
    ]
    own = "@request.body.owner:isset = false || @request.body.owner = @request.auth.id"
    rules = {"createRule": own, "updateRule": f"id = @request.auth.id && ({own})"}
    await office.options(fields=fields, invitations={"enabled": True}, **rules)
    batch = {"batch": {"enabled": True, "maxRequests": 5, "timeout": 5}}
    assert (await office.client.patch("/api/settings", batch, as_=office.root)).status == 200
    return office


async def stored(office, email):
    """An account as it is stored; None where there is none."""
    engine, users = office.client.backend.engine, office.client.backend.catalog.collection("users")
    record = await find_record(engine.read, engine.dialect, users, {"email": email})
    return Identity(users, record).record if record else None


def texts(body):
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}


async def send(office, method: str, path: str, body: dict[str, Any], way: str, token: str = "") -> Answer:  # noqa: PLR0917
    """Write an account in one way."""
    client = office.client
    if way == "json":
        return await client.request(method, path, body, as_=token)
    if way == "form":
        return await client.request(method, path, form=texts(body), as_=token)
    if way == "multipart":
        form = {"@jsonPayload": json.dumps(body), "avatar": File("a.txt", b"x", "text/plain")}
        return await client.request(method, path, form=form, as_=token)
    method = "PUT" if way == "upsert" else method
    return await client.post("/api/batch", {"requests": [{"method": method, "url": path, "body": body}]}, as_=token)


@pytest.mark.parametrize("way", [way for way in WAYS if way != "upsert"])
async def test_at_sign_up(guild, way):
    """Whoever signs up is refused, or has an account like any other."""
    taken = []
    for number, (name, lie) in enumerate(LIES.items()):
        email = f"new{number}@example.com"
        if way == "invitation":
            count = len(guild.server.letters)
            assert (await guild.ask("invitations", guild.root, email=email)).status == 200
            token = token_in((await guild.server.arrived(count + 1))[-1])
            answer = await guild.ask("accept-invitation", token=token, **SECRET, **{name: lie})
        else:
            answer = await send(guild, "POST", f"{USERS}/records", {"email": email, **SECRET, name: lie}, way)
        record = await stored(guild, email)
        assert answer.status in {200, 400, 403}, (name, answer.text)
        assert (record is not None) == (answer.status == 200)
        if record and is_a_lie(record, name, is_verified=way == "invitation"):
            taken.append(name)

    assert set(taken) <= ({"id"} if way != "invitation" else set())


@pytest.mark.parametrize("way", [way for way in WAYS if way != "invitation"])
async def test_at_an_update(guild, way):
    """Whoever changes their own account is refused, or changes nothing that is not theirs."""
    email = "ada@example.com"
    account = await guild.join(email)
    before, token = await stored(guild, email), (await guild.log_in(email)).json["token"]
    for name, lie in LIES.items():
        path = f"{USERS}/records" if way == "upsert" else f"{USERS}/records/{account}"
        body = {name: lie} | ({"id": account} if way == "upsert" and name != "id" else {})
        answer = await send(guild, "PATCH", path, body, way, token)
        after = await stored(guild, email)

        assert answer.status in {200, 400, 403, 404}, (name, answer.text)
        assert not is_a_lie(after, name)
        for same in ("id", "tokenKey", "verified", "created", "password", "badge", "owner", "email"):
            assert after[same] == before[same], (name, same)
        assert await guild.knows(token), name


def is_a_lie(record: dict[str, Any], name: str, *, is_verified: bool = False) -> bool:
    """Whether anything of what was said stands in the account."""
    return (
        {
            "verified": record["verified"] and not is_verified,
            "id": record["id"] == LIES["id"],
            "created": record["created"].startswith("2001"),
            "updated": record["updated"].startswith("2001"),
            "badge": record["badge"] != "",
            "owner": record["owner"] != "",
        }.get(name, False)
        or record["tokenKey"].startswith("kkkk")
        or len(record["tokenKey"]) != 50
    )


async def test_visibility_is_ones_own(guild):
    """Everybody says of their own address whether others see it, and nobody says it of another's."""
    ada, token = await guild.join(), (await guild.log_in()).json["token"]
    eve = await guild.join("eve@example.com")

    own = await guild.client.patch(f"{USERS}/records/{ada}", {"emailVisibility": True}, as_=token)
    other = await guild.client.patch(f"{USERS}/records/{eve}", {"emailVisibility": True}, as_=token)

    assert (own.status, own.json["emailVisibility"], other.status) == (200, True, 404)
    assert (await guild.record(eve))["emailVisibility"] is False


async def test_managers_say_more(guild):
    """Who manages accounts says who is verified; a key is set by superusers alone."""
    await guild.options(manageRule="@request.auth.owner = 'boss'", updateRule="@request.auth.id != ''")
    await guild.join("boss@example.com", owner="boss")
    ada, token = await guild.join(), (await guild.log_in("boss@example.com")).json["token"]
    key = (await stored(guild, "ada@example.com"))["tokenKey"]

    answer = await guild.client.patch(f"{USERS}/records/{ada}", {"verified": True, "tokenKey": KEY}, as_=token)

    after = await stored(guild, "ada@example.com")
    assert (answer.status, after["verified"], after["tokenKey"]) == (200, True, key)
