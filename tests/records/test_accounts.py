"""What an auth record may become, and by whom."""

from __future__ import annotations

from typing import Any

import pytest

from undercroft.collections.collection import SUPERUSERS, Collection
from undercroft.collections.options import AuthOptions
from undercroft.errors import REQUIRED, FieldError
from undercroft.passwords import Verdict
from undercroft.records.accounts import MISMATCH, WRONG_OLD_PASSWORD, AccountWrite, prepare_account

pytestmark = pytest.mark.anyio

USERS = Collection(id="users_c", name="users", type="auth", auth=AuthOptions())
ROOTS = Collection(id="roots_c", name=SUPERUSERS, type="auth", auth=AuthOptions())
ADA = {
    "id": "adaxxxxxxxxxxxx",
    "email": "ada@example.com",
    "verified": False,
    "password": "hash of old-one",
    "tokenKey": "k" * 50,
}
NEW = {"password": "new-one!", "passwordConfirm": "new-one!"}


class Plain:
    """Hashes that are easy to read."""

    async def verify(self, text: str, stored: str) -> Verdict:
        return Verdict(stored == f"hash of {text}")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def judge(
    body: dict[str, Any], before: dict[str, Any] | None = ADA, collection: Collection = USERS, by: str = "user"
) -> tuple[dict[str, Any], dict[str, FieldError]]:
    submitted = {name: value for name, value in body.items() if name not in ("passwordConfirm", "oldPassword")}
    write = AccountWrite(collection, before, submitted, body, is_manager=by != "user", is_superuser=by == "superuser")
    return await prepare_account(write, Plain())


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"password": REQUIRED, "passwordConfirm": REQUIRED}),
        ({"password": "x"}, {"passwordConfirm": REQUIRED}),
        ({"passwordConfirm": "x"}, {"password": REQUIRED, "passwordConfirm": MISMATCH}),
        ({"password": "x", "passwordConfirm": "y"}, {"passwordConfirm": MISMATCH}),
        (NEW, {}),
        (NEW | {"verified": False}, {}),
        (NEW | {"verified": True}, {"verified": MISMATCH}),
        (NEW | {"email": "new@example.com", "emailVisibility": True}, {}),
    ],
)
async def test_sign_up(body: dict[str, Any], errors: dict[str, FieldError]):
    """A new account needs a password twice and cannot call itself verified."""
    assert (await judge(body, before=None))[1] == errors


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {}),
        ({"name": "Ada"}, {}),
        ({"email": "ada@example.com", "verified": False}, {}),
        ({"email": "new@example.com"}, {"email": MISMATCH}),
        ({"verified": True}, {"verified": MISMATCH}),
        (NEW, {"oldPassword": REQUIRED}),
        (NEW | {"oldPassword": "wrong"}, {"oldPassword": WRONG_OLD_PASSWORD}),
        (NEW | {"oldPassword": "old-one"}, {}),
        ({"password": "x", "oldPassword": "old-one"}, {"passwordConfirm": REQUIRED}),
        ({"oldPassword": "old-one"}, {"password": REQUIRED, "passwordConfirm": REQUIRED}),
        ({"passwordConfirm": "x"}, {"password": REQUIRED, "passwordConfirm": MISMATCH, "oldPassword": REQUIRED}),
        (
            {"password": "a", "passwordConfirm": "b", "oldPassword": "c"},
            {"passwordConfirm": MISMATCH, "oldPassword": WRONG_OLD_PASSWORD},
        ),
    ],
)
async def test_change_own(body: dict[str, Any], errors: dict[str, FieldError]):
    """Who changes an account of theirs keeps address and standing, and proves to know the old password."""
    assert (await judge(body))[1] == errors


@pytest.mark.parametrize("by", ["manager", "superuser"])
@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"email": "new@example.com", "verified": True}, {}),
        (NEW, {}),
        ({"password": "x"}, {"passwordConfirm": REQUIRED}),
        ({"password": "x", "passwordConfirm": "y"}, {"passwordConfirm": MISMATCH}),
    ],
)
async def test_manage(by: str, body: dict[str, Any], errors: dict[str, FieldError]):
    """A manager needs no old password, but writes the new one twice as well."""
    assert (await judge(body, by=by))[1] == errors


async def test_numbers_as_passwords():
    """A form turns `12345678` into a number; as a password it is the same text on both sides."""
    write = AccountWrite(USERS, None, {"password": "12345678"}, {"password": 12345678, "passwordConfirm": 12345678})

    assert (await prepare_account(write, Plain()))[1] == {}


@pytest.mark.parametrize("by", ["user", "manager"])
async def test_token_key_is_nobodys(by: str):
    """Only superusers set a token key; from others it is dropped without a word."""
    changes, errors = await judge({"name": "Ada", "tokenKey": "x" * 50}, by=by)

    assert (changes, errors) == ({"name": "Ada"}, {})


async def test_token_key_by_superuser():
    """A superuser's token key is taken, also beside a new password."""
    changes, _ = await judge(NEW | {"tokenKey": "x" * 50}, by="superuser")

    assert changes["tokenKey"] == "x" * 50


@pytest.mark.parametrize(
    ("body", "by"),
    [
        (NEW | {"oldPassword": "old-one"}, "user"),
        (NEW, "superuser"),
        (NEW | {"tokenKey": ADA["tokenKey"]}, "superuser"),
        (NEW | {"tokenKey": ""}, "superuser"),
        ({"email": "new@example.com"}, "manager"),
    ],
)
async def test_sessions_end(body: dict[str, Any], by: str):
    """A new password or address comes with a new token key."""
    changes, errors = await judge(body, by=by)

    assert errors == {}
    assert len(changes["tokenKey"]) == 50
    assert changes["tokenKey"] != ADA["tokenKey"]


@pytest.mark.parametrize("body", [{"name": "Ada"}, {"email": "ada@example.com"}, {"verified": True}])
async def test_sessions_go_on(body: dict[str, Any]):
    """Nothing else changes the token key."""
    assert "tokenKey" not in (await judge(body, by="manager"))[0]


async def test_new_accounts_have_keys():
    """A new account gets a token key of its own, whatever it sent."""
    first, _ = await judge(NEW | {"tokenKey": "x" * 50}, before=None)
    second, _ = await judge(NEW, before=None)

    assert len(first["tokenKey"]) == 50
    assert len({first["tokenKey"], second["tokenKey"], "x" * 50}) == 3


async def test_superusers_are_verified():
    """A superuser is verified, whatever was sent."""
    changes, errors = await judge(NEW | {"verified": False}, before=None, collection=ROOTS, by="superuser")

    assert (changes["verified"], errors) == (True, {})
