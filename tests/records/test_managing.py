"""Who manages accounts."""

from __future__ import annotations

NEW = {"email": "new@example.com", "password": "password-1", "passwordConfirm": "password-1"}


async def test_nobody_manages_by_calling_themselves_verified(blog):
    """A manage rule sees a new account as unverified, whatever was sent."""
    await blog.change("users", createRule="", manageRule="verified = true")

    answer = await blog.create("users", NEW | {"verified": True})

    assert (answer.status, list(answer.error.data)) == (400, ["verified"])
    assert (await blog.create("users", NEW)).status == 200
