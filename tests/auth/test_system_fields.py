"""Nobody gives themselves a standing, a key or an identity through a body."""

from __future__ import annotations

import pytest
from club import MEMBERS, Account, Club
from servers import PASSWORD

SECRET = {"password": PASSWORD, "passwordConfirm": PASSWORD}
OWN = {
    "tokenKey": "k" * 50,
    "tokenKey:autogenerate": "k",
    "password:autogenerate": "x",
    "password+": "x",
    "+password": "x",
    "password-": "x",
    "collectionId": "pbc_3142635823",
}


@pytest.mark.parametrize("name", OWN)
def test_sign_up_ignores(club: Club, name: str):
    """What only the server sets is ignored when somebody signs up."""
    body = {"email": f"newcomer{list(OWN).index(name)}@example.com", **SECRET, name: OWN[name]}

    new = club.expect(200, "POST", f"{MEMBERS}/records", body, "guest")

    account = Account(new["id"], body["email"], "")
    assert new["collectionName"] == "members"
    assert club.column(account, "tokenKey") != "k" * 50
    assert club.column(account, "verified") == "0"
    assert club.try_login(account.email, PASSWORD).status_code == 200


@pytest.mark.parametrize("name", OWN)
def test_update_ignores(club: Club, name: str):
    """What only the server sets is ignored when somebody changes their own account."""
    account = club.join()
    key, stored = club.column(account, "tokenKey"), club.column(account, "password")
    club.server.tokens["member"] = club.log_in(account)

    club.expect(200, "PATCH", f"{MEMBERS}/records/{account.id}", {name: OWN[name]}, "member")

    assert (club.column(account, "tokenKey"), club.column(account, "password")) == (key, stored)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"verified": False}, "validation_values_mismatch"),
        ({"email": "moved@example.com"}, "validation_values_mismatch"),
        ({"id": "someoneelse0000"}, "validation_pk_change"),
    ],
)
def test_update_refuses(club: Club, body: dict[str, object], code: str):
    """Standing, address and id are not the owner's to change."""
    account = club.join()
    club.server.tokens["member"] = club.log_in(account)

    answer = club.server.call("PATCH", f"{MEMBERS}/records/{account.id}", body, "member")

    assert answer.status_code == 400
    assert answer.json()["data"][next(iter(body))]["code"] == code


def test_sign_up_is_not_verified(club: Club):
    """Nobody signs up as verified."""
    body = {"email": "me@example.com", "verified": True, **SECRET}

    answer = club.server.call("POST", f"{MEMBERS}/records", body, "guest")

    assert answer.json()["data"]["verified"]["code"] == "validation_values_mismatch"


def test_ids_name_one_account(club: Club):
    """An id that names an account cannot name one of another collection too."""
    account = club.join()

    answer = club.server.call(
        "POST", "/api/collections/_superusers/records", {"id": account.id, "email": "twin@example.com", **SECRET}
    )

    assert answer.json()["data"]["id"]["code"] == "validation_invalid_auth_id"


def test_only_superuser_stays(club: Club):
    """The only superuser cannot be deleted through the API either."""
    page = club.expect(200, "GET", "/api/collections/_superusers/records")
    assert page["totalItems"] == 1

    answer = club.server.call("DELETE", f"/api/collections/_superusers/records/{page['items'][0]['id']}")

    assert (answer.status_code, answer.json()["message"]) == (400, "You can't delete the only existing superuser.")
