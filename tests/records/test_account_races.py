"""Accounts that change between the moment a write is judged and the moment it is done."""

from __future__ import annotations

import asyncio

import pytest

USERS = "/api/collections/users/records"
NEW = {"id": "newaccount00000", "email": "new@example.com", "password": "password-1", "passwordConfirm": "password-1"}


@pytest.fixture
async def open_users(blog):
    """Anybody may write accounts, within what accounts allow; each has a number of points."""
    made = (await blog.client.get("/api/collections/users", as_=blog.root)).json
    fields = [*made["fields"], {"name": "points", "type": "number"}]
    await blog.change("users", fields=fields, createRule="", updateRule="", deleteRule="")
    await blog.client.patch("/api/settings", {"batch": {"enabled": True}}, as_=blog.root)
    return blog


async def batch(blog, *requests):
    return await blog.client.post("/api/batch", {"requests": list(requests)})


async def test_no_increment_of_an_account_is_lost(open_users):
    """Modifiers of an account are applied to what is stored when the write is done."""
    sent = [open_users.update("users", open_users.ann_id, {"points+": 1}) for _ in range(20)]
    answers = await asyncio.gather(*sent)

    shown = await open_users.view("users", open_users.ann_id, open_users.root)
    assert shown.json["points"] == [answer.status for answer in answers].count(200) == 20


@pytest.mark.parametrize("values", [{"verified": True}, {"password": "unproven-1"}, {"email": "taken@example.com"}])
async def test_an_account_made_in_a_batch_is_not_changed_unjudged(open_users, values):
    """Whoever makes an account and changes it at once gets nothing that a change alone would refuse."""
    answer = await batch(
        open_users,
        {"method": "POST", "url": USERS, "body": NEW},
        {"method": "PATCH", "url": f"{USERS}/{NEW['id']}", "body": values},
    )

    failed = answer.error.data["requests"]
    assert (answer.status, list(failed)) == (400, ["1"])
    assert (await open_users.view("users", NEW["id"], open_users.root)).status == 404


async def test_an_account_replaced_in_a_batch_is_not_made_unjudged(open_users):
    """A new account is judged as a new one, whoever had its id when the batch came."""
    await open_users.add("users", **NEW)

    answer = await batch(
        open_users,
        {"method": "DELETE", "url": f"{USERS}/{NEW['id']}"},
        {"method": "PUT", "url": USERS, "body": {"id": NEW["id"], "email": NEW["email"], "name": "Mallory"}},
    )

    assert (answer.status, list(answer.error.data["requests"])) == (400, ["1"])
    assert (await open_users.view("users", NEW["id"], open_users.root)).status == 200
