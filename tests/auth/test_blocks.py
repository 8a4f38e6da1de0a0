"""Blocking an account: nobody comes in with it, and whoever was in is out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from post_office import NEW, USERS, PostOffice

from undercroft.testing import TestClient

pytestmark = pytest.mark.anyio
PASSWORD = "correct-horse-9"
MEMBERS = "/api/collections/members"
SUPERUSERS = "/api/collections/_superusers"


@dataclass
class House:
    """Ada and her manager Max, whose `staff` is true."""

    client: TestClient
    root: str
    ids: dict[str, str]

    async def token(self, name: str) -> str:
        return await self.client.login("members", f"{name}@example.com", PASSWORD)

    async def log_in(self, name: str, password: str = PASSWORD) -> Any:
        form = {"identity": f"{name}@example.com", "password": password}
        return await self.client.post(f"{MEMBERS}/auth-with-password", form)

    async def block(self, name: str, by: str, **body: Any) -> int:
        return (await self.client.post(f"{MEMBERS}/block/{self.ids[name]}", body, as_=by)).status

    async def unblock(self, name: str, by: str) -> int:
        return (await self.client.delete(f"{MEMBERS}/block/{self.ids[name]}", as_=by)).status


@pytest.fixture
async def house(client: TestClient) -> House:
    root = await client.superuser()
    fields = [{"name": "staff", "type": "bool"}]
    members = {"name": "members", "type": "auth", "fields": fields, "manageRule": "@request.auth.staff = true"}
    assert (await client.post("/api/collections", members, as_=root)).status == 200
    ids = {}
    for name in ("ada", "bob", "max"):
        secret = {"password": PASSWORD, "passwordConfirm": PASSWORD}
        body = {"email": f"{name}@example.com", "staff": name == "max", **secret}
        ids[name] = (await client.post(f"{MEMBERS}/records", body, as_=root)).json["id"]
    return House(client, root, ids)


async def test_who_is_blocked_is_out(house: House):
    """Tokens end, and the right password opens nothing, with the answer of a rule that is not met."""
    token = await house.token("ada")
    assert await house.block("ada", house.root, reason="spam") == 204

    assert (await house.client.post(f"{MEMBERS}/auth-refresh", as_=token)).status == 401
    answer = await house.log_in("ada")
    assert (answer.status, answer.error.code) == (403, "account_blocked")
    assert answer.error.message == "The request doesn't satisfy the collection requirements to authenticate."
    assert (await house.log_in("ada", "wrong")).status == 400
    assert (await house.log_in("bob")).status == 200


async def test_who_is_let_in_again(house: House):
    """May log in; the tokens from before stay ended."""
    token = await house.token("ada")
    await house.block("ada", house.root)
    assert await house.unblock("ada", house.root) == 204

    assert (await house.client.post(f"{MEMBERS}/auth-refresh", as_=token)).status == 401
    assert (await house.log_in("ada")).status == 200
    assert await house.unblock("ada", house.root) == 204


async def test_who_may_block(house: House):
    """Superusers, and whom the manage rule lets; to others there is no such account."""
    manager, other = await house.token("max"), await house.token("bob")
    assert await house.block("ada", "") == 401
    assert await house.block("ada", other) == 404
    assert await house.unblock("ada", other) == 404
    assert (await house.log_in("ada")).status == 200

    assert await house.block("ada", manager) == 204
    assert (await house.log_in("ada")).status == 403
    assert await house.unblock("ada", manager) == 204


async def test_nobody_blocks_themselves(house: House):
    """A manager who does is told, and so is a superuser."""
    assert await house.block("max", await house.token("max")) == 400
    [own] = (await house.client.get(f"{SUPERUSERS}/records", as_=house.root)).json["items"]
    answer = await house.client.post(f"{SUPERUSERS}/block/{own['id']}", {}, as_=house.root)

    assert answer.error.code == "oneself_blocked"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"{MEMBERS}/block/nobody", {}, 404),
        ("/api/collections/nothing/block/x", {}, 404),
        (f"{MEMBERS}/block/ADA", {"reason": "x" * 256}, 400),
        (f"{MEMBERS}/block/ADA", {"reason": 5}, 400),
        (f"{MEMBERS}/block/ADA", [], 400),
        (f"{MEMBERS}/block/ADA", {"reason": "x\x00\ud800".encode("utf-8", "replace").decode()}, 204),
    ],
)
async def test_odd_requests(house: House, path: str, body: Any, status: int):
    """What makes no sense is told."""
    answer = await house.client.post(path.replace("ADA", house.ids["ada"]), body, as_=house.root)

    assert answer.status == status, answer.text


async def test_the_list(house: House):
    """Superusers see who is blocked, why, since when and by whom; nobody else does, and no record shows it."""
    before = (await house.client.get(f"{MEMBERS}/records/{house.ids['ada']}", as_=house.root)).json
    await house.block("ada", house.root, reason="first")
    await house.block("ada", await house.token("max"), reason="spam")

    [item] = (await house.client.get(f"{MEMBERS}/blocked", as_=house.root)).json["items"]
    assert (item["record"], item["reason"]) == (house.ids["ada"], "spam")
    assert item["by"].endswith(f"/{house.ids['max']}")
    assert item["created"].endswith("Z")
    assert (await house.client.get(f"{MEMBERS}/blocked", as_=await house.token("max"))).status == 403
    after = (await house.client.get(f"{MEMBERS}/records/{house.ids['ada']}", as_=house.root)).json
    assert after.keys() == before.keys()


async def test_a_deleted_account_takes_its_block_along(house: House):
    """Who gets its id afterwards may come in."""
    await house.block("ada", house.root)
    await house.client.delete(f"{MEMBERS}/records/{house.ids['ada']}", as_=house.root)
    secret = {"password": PASSWORD, "passwordConfirm": PASSWORD}
    body = {"id": house.ids["ada"], "email": "ada@example.com", **secret}
    assert (await house.client.post(f"{MEMBERS}/records", body, as_=house.root)).status == 200

    assert (await house.log_in("ada")).status == 200
    assert (await house.client.get(f"{MEMBERS}/blocked", as_=house.root)).json["items"] == []


@pytest.mark.parametrize("way", ["reset", "code", "link"])
async def test_letters_end_no_block(office: PostOffice, way: str):
    """Who was blocked before the address was verified can prove it, and is blocked all the same."""
    await office.options(otp={"enabled": True, "length": 8}, magicLink={"enabled": True})
    account = await office.join()
    assert (await office.client.post(f"{USERS}/block/{account}", {"reason": "spam"}, as_=office.root)).status == 204

    if way == "reset":
        token = await office.token("request-password-reset", email="ada@example.com")
        assert (await office.ask("confirm-password-reset", token=token, **NEW)).status == 204
        answer = await office.log_in(password=NEW["password"])
    elif way == "code":
        answer = await office.ask("auth-with-otp", **await office.code())
    else:
        token = await office.token("request-magic-link", email="ada@example.com")
        answer = await office.ask("auth-with-magic-link", token=token)

    blocked = (await office.client.get(f"{USERS}/blocked", as_=office.root)).json["items"]
    assert (answer.status, [each["record"] for each in blocked]) == (403, [account])
