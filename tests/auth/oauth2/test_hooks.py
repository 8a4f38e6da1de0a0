"""Hooks between a provider's word and an account: what they see, what they can change, and what becomes of what they raise."""

from __future__ import annotations

import pytest
from idp import ADA

from undercroft.errors import Forbidden

pytestmark = pytest.mark.anyio


def hook(door, *names):
    """The decorator of the moment."""
    return door.client.app.on.record_auth_with_oauth2_request(*(names or ("users",)))


async def test_what_a_hook_sees(door):
    """Who comes, from where, as whom, and what a new account is to be made of; afterwards the account, and if it is new."""
    seen = []

    @hook(door)
    async def look(event):
        seen.append((event.collection.name, event.provider, event.user["id"], event.user["rawUser"]["email"]))
        seen.append((event.record and event.record["id"], dict(event.create_data), event.is_new))
        await event.next()
        seen.append((event.record["email"], event.record["password"], event.is_new))

    hook(door, "_superusers")(lambda _: seen.append("never"))
    first = await door.come(form={"createData": {"name": "Countess"}})
    await door.come()

    who = ("users", "oidc", "ada-1", "ada@example.com")
    assert seen[:3] == [who, (None, {"name": "Countess"}, True), ("ada@example.com", "", True)]
    assert seen[3:] == [who, (first.json["record"]["id"], {}, False), ("ada@example.com", "", False)]


async def test_other_values(door):
    """What a hook puts into the values of a new account is checked like those of the caller."""

    @hook(door)
    async def fill(event):
        event.create_data["name"] = "From " + event.provider + "!" * len(event.create_data.get("name", ""))

    one = await door.come()
    two = await door.come(sub="eve-1", email="eve@example.com", form={"createData": {"name": "x" * 300}})

    assert one.json["record"]["name"] == "From oidc"
    assert (two.status, list(two.json["data"])) == (400, ["name"])
    assert len(await door.accounts()) == 1


async def test_another_account(door):
    """A hook chooses the account, which is linked from then on."""
    chosen = await door.join("office@example.com", verified=True)

    @hook(door)
    async def choose(event):
        event.record = await event.records.as_system().users.get(chosen)

    answer = await door.come()

    assert (answer.json["record"]["id"], answer.json["meta"]["isNew"]) == (chosen, False)
    assert answer.json["record"]["email"] == "office@example.com"
    assert await door.links(chosen) == [("oidc", "ada-1")]
    assert len(await door.accounts()) == 1


async def test_another_account_that_nobody_proved(door):
    """Who made a chosen account whose address was never proven has no way into it any more."""
    chosen = await door.join("office@example.com")
    token = await door.token("office@example.com")

    @hook(door)
    async def choose(event):
        event.record = await event.records.as_system().users.get(chosen)

    answer = await door.come()

    assert (answer.json["record"]["id"], answer.json["record"]["verified"]) == (chosen, False)
    assert not await door.knows(token)
    assert (await door.log_in("office@example.com")).status == 400


async def test_a_new_account_in_place_of_one(door):
    """A hook may want a new account though one was found; two with one address there cannot be."""
    await door.join(verified=True)

    @hook(door)
    async def renew(event):
        event.record = None

    taken = await door.come()
    fresh = await door.come(sub="ada-2", email_verified=False, form={"createData": {"email": "ada2@example.com"}})

    assert (taken.status, list(taken.json["data"])) == (400, ["email"])
    assert (fresh.status, fresh.json["meta"]["isNew"]) == (200, True)


async def test_no_such_account(door):
    """An account that is not there is 404, and one of another collection is not there."""
    superuser = (await door.client.get("/api/collections/_superusers/records", as_=door.root)).json["items"][0]

    @hook(door)
    async def choose(event):
        event.record = superuser

    answer = await door.come()

    assert answer.status == 404
    assert await door.accounts() == []


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_refusal(door, when):
    """Before `next()` nothing has happened yet; after it the account is there, and gets no token all the same."""

    @hook(door)
    async def refuse(event):
        if when == "after":
            await event.next()
        raise event.refuse("Not from there.", field="provider")

    answer = await door.come()

    refused = {"provider": {"code": "validation_refused", "message": "Not from there."}}
    assert (answer.status, answer.json["data"]) == (400, refused)
    assert "token" not in answer.json
    assert len(await door.accounts()) == (1 if when == "after" else 0)


async def test_what_hooks_raise(door):
    """A problem is what it is, and all else is 500 without a word of why."""
    raised = [Forbidden("Only colleagues."), RuntimeError("a secret of ours")]

    @hook(door)
    async def fail(_):
        raise raised.pop(0)

    answers = [await door.come(), await door.come()]

    assert [answer.status for answer in answers] == [403, 500]
    assert answers[0].json["message"] == "Only colleagues."
    assert "secret" not in answers[1].text
    assert await door.accounts() == []


async def test_hooks_of_records_too(door):
    """A new account is a record like any other: its hooks are called, and what they refuse is not made."""
    called = []

    @door.client.app.on.record_create("users")
    async def judge(event):
        called.append((event.record["email"], event.record["verified"]))
        if event.record["name"] == "Eve":
            raise event.refuse("Not Eve.")

    one = await door.come()
    two = await door.come(sub="eve-1", email="eve@example.com", name="Eve")

    assert (one.status, two.status, two.json["message"]) == (200, 400, "Not Eve.")
    assert called == [("ada@example.com", True), ("eve@example.com", True)]
    assert [account["email"] for account in await door.accounts()] == ["ada@example.com"]


async def test_what_is_told_can_be_changed(door):
    """The hooks of every admission see what is told of the provider, and can keep it back."""

    @door.client.app.on.record_auth_request("users")
    async def keep_back(event):
        event.meta = {name: event.meta[name] for name in ("id", "isNew")}

    answer = await door.come()

    assert answer.json["meta"] == {"id": ADA["sub"], "isNew": True}
