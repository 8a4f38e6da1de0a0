"""Logging in with a password."""

from __future__ import annotations

import bcrypt
import pytest
from club import MEMBERS, Account, Club
from servers import PASSWORD, ROOT


def test_answer(club: Club):
    """A login answers with the account, its own e-mail address included, and a token that is believed."""
    account = club.join(emailVisibility=False)

    answer = club.try_login(account.email, account.password).json()

    assert sorted(answer) == ["record", "token"]
    assert answer["record"]["email"] == account.email
    assert answer["record"]["collectionName"] == "members"
    assert "password" not in answer["record"]
    assert "tokenKey" not in answer["record"]
    assert club.refresh(answer["token"]).status_code == 200


@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer ", "BEARER "])
def test_schemes(club: Club, scheme: str):
    """A token is taken as it is, or after `Bearer` in any letter case."""
    assert club.refresh(scheme + club.log_in(club.join())).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "Bearer  ", "Basic ", "Token ", "Bearer Bearer ", "JWT "])
def test_other_schemes_are_guests(club: Club, scheme: str):
    """Anything else in front of a token makes it none."""
    assert club.refresh(scheme + club.log_in(club.join())).status_code == 401


def test_fields_and_expand(club: Club):
    """`fields` picks from the auth response as from any other."""
    account = club.join()

    answer = club.server.call(
        "POST",
        f"{MEMBERS}/auth-with-password?fields=record.id",
        {"identity": account.nick, "password": account.password},
        "guest",
    )

    assert answer.json() == {"record": {"id": account.id}}


def test_nothing_tells_accounts_apart(club: Club):
    """An unknown address, a wrong password and another collection's account get the same bytes."""
    account = club.join()
    attempts = [
        (account.email, "wrong-password"),
        ("nobody@example.com", account.password),
        (account.nick, "wrong-password"),
        ("nobody", "wrong-password"),
        (ROOT, PASSWORD),
        ("' OR 1=1 --", "' OR 1=1 --"),
        ("%", account.password),
    ]

    answers = [club.try_login(identity, password) for identity, password in attempts]

    assert {answer.status_code for answer in answers} == {400}
    assert {answer.text for answer in answers} == {'{"data":{},"message":"Failed to authenticate.","status":400}'}


def test_identity_fields(club: Club):
    """Any configured field names the account; an index that ignores case makes the login ignore it."""
    account = club.join()

    assert club.try_login(account.nick, account.password).status_code == 200
    assert club.try_login(account.nick.upper(), account.password).status_code == 200
    assert club.try_login(account.email, account.password).status_code == 200
    assert club.try_login(account.email.upper(), account.password).status_code == 400


def test_one_identity_field(club: Club):
    """A login may name the one field to look in."""
    account = club.join()

    assert club.try_login(account.nick, account.password, identityField="nick").status_code == 200
    assert club.try_login(account.nick, account.password, identityField="email").status_code == 400
    refused = club.try_login(account.nick, account.password, identityField="rank").json()["data"]
    assert refused["identityField"]["code"] == "validation_in_invalid"


def test_email_wins_over_a_nick_like_it(club: Club):
    """Who calls themselves by another's address does not stand in their way."""
    account = club.join()
    thief = club.join(nick=account.email)

    assert club.try_login(account.email, account.password).json()["record"]["id"] == account.id
    assert club.try_login(thief.email, thief.password).json()["record"]["id"] == thief.id


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({}, {"identity": "validation_required", "password": "validation_required"}),
        ({"identity": "a", "password": ""}, {"password": "validation_required"}),
        ({"identity": None, "password": "x"}, {"identity": "validation_required"}),
        ({"identity": "a" * 256, "password": "x"}, {"identity": "validation_length_out_of_range"}),
        ({"identity": "a", "password": "x" * 256}, {"password": "validation_length_out_of_range"}),
        ({"identity": "a", "password": "x" * 10_000_000}, {"password": "validation_length_out_of_range"}),
        ({"identity": 5, "password": "x"}, {}),
        ({"identity": ["a"], "password": {"x": 1}}, {}),
    ],
    ids=["empty", "no password", "null", "long identity", "long password", "ten megabytes", "number", "list"],
)
def test_bad_forms(club: Club, body: dict[str, object], codes: dict[str, str]):
    """What is no login is refused with the fields that are wrong."""
    answer = club.server.call("POST", f"{MEMBERS}/auth-with-password", body, "guest")

    assert answer.status_code == 400
    assert {name: error["code"] for name, error in answer.json()["data"].items()} == codes


@pytest.mark.parametrize(
    "raw",
    [b"{", b"[]", b'"x"', b'{"identity":"a","password":"\\ud800"}', b'{"identity":"\\udfff","password":"x"}', b"\xff"],
)
def test_bad_bodies(club: Club, raw: bytes):
    """What is no JSON object of text is refused."""
    headers = {"Content-Type": "application/json"}

    answer = club.server.call("POST", f"{MEMBERS}/auth-with-password", "", "guest", content=raw, headers=headers)

    assert answer.status_code == 400


def test_keys_in_any_case(club: Club):
    """The keys of the form are read in any letter case."""
    account = club.join()
    body = {"IDENTITY": account.email, "PassWord": account.password}

    assert club.server.call("POST", f"{MEMBERS}/auth-with-password", body, "guest").status_code == 200


def test_forms(club: Club):
    """A login may come as a form; a password of digits stays text."""
    account = club.join(password="1234567890", passwordConfirm="1234567890")
    data = {"identity": account.email, "password": "1234567890"}

    for sent in ({"data": data}, {"files": {name: (None, value) for name, value in data.items()}}):
        answer = club.server.call("POST", f"{MEMBERS}/auth-with-password", caller="guest", **sent)
        assert answer.status_code == 200, answer.text


def test_twins(club: Club):
    """Two passwords that differ in their last byte alone are different, also beyond 72 bytes."""
    base = "é" * 36 + "x" * 30
    account = club.join(password=base + "a", passwordConfirm=base + "a")

    assert club.try_login(account.email, base + "a").status_code == 200
    assert club.try_login(account.email, base + "b").status_code == 400


def test_nul(club: Club):
    """What stands after a NUL in a password counts."""
    account = club.join(password="before\x00after", passwordConfirm="before\x00after")

    assert club.try_login(account.email, "before\x00after").status_code == 200
    assert club.try_login(account.email, "before\x00other").status_code == 400
    assert club.try_login(account.email, "before").status_code == 400


def set_hash(club: Club, account: Account, stored: str) -> None:
    club.sql("UPDATE members SET password = $1 WHERE id = $2", stored, account.id)


def test_bcrypt_is_upgraded(club: Club):
    """An imported bcrypt hash lets its owner in once, and is Argon2id from then on."""
    account = club.join()
    set_hash(club, account, bcrypt.hashpw(b"from elsewhere", bcrypt.gensalt(4)).decode())
    key = club.column(account, "tokenKey")

    assert club.try_login(account.email, "from elsewhere!").status_code == 400
    assert club.column(account, "password").startswith("$2b$")
    assert club.try_login(account.email, "from elsewhere").status_code == 200
    assert club.column(account, "password").startswith("$argon2id$")
    assert club.try_login(account.email, "from elsewhere").status_code == 200
    assert club.column(account, "tokenKey") == key


def test_account_without_password(club: Club):
    """An account that has no password cannot be logged in to with one."""
    account = club.join()
    set_hash(club, account, "")

    assert club.try_login(account.email, account.password).status_code == 400
    assert club.try_login(account.email, " ").status_code == 400


def test_auth_rule(club: Club):
    """Who the auth rule refuses is told so, but only after the right password."""
    account = club.join(rank="banned")

    assert club.try_login(account.email, "wrong-password").status_code == 400
    refused = club.try_login(account.email, account.password)
    assert refused.status_code == 403
    assert refused.json()["message"] == "The request doesn't satisfy the collection requirements to authenticate."


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"authRule": None}, 403),
        ({"passwordAuth": {"enabled": False}, "otp": {"enabled": True}}, 403),
        ({"otp": {"enabled": True}, "mfa": {"enabled": True}}, 401),
        ({"otp": {"enabled": True}, "mfa": {"enabled": True, "rule": "rank = 'chief'"}}, 200),
        ({"authRule": ""}, 200),
    ],
    ids=["nobody", "no passwords", "second factor", "second factor of others", "everybody"],
)
def test_options(club: Club, options: dict[str, object], status: int):
    """The collection's options decide; an account that needs a second factor never gets in without."""
    name = "guild_" + "_".join(options).lower() + str(len(str(options)))
    club.expect(
        200,
        "POST",
        "/api/collections",
        {"name": name, "type": "auth", "fields": [{"name": "rank", "type": "text"}], **options},
    )
    new = {"email": "ada@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}
    club.expect(200, "POST", f"/api/collections/{name}/records", new)
    body = {"identity": "ada@example.com", "password": PASSWORD}

    answer = club.server.call("POST", f"/api/collections/{name}/auth-with-password", body, "guest")

    assert answer.status_code == status, answer.text
    assert ("token" in answer.json()) == (status == 200)


def test_unknown_collections(club: Club):
    """A collection that is not there, and one without accounts, are told apart."""
    unknown = club.server.call("POST", "/api/collections/nope/auth-with-password", {}, "guest")
    plain = club.server.call("POST", "/api/collections/books/auth-with-password", {}, "guest")

    assert (unknown.status_code, unknown.json()["message"]) == (404, "Missing or invalid collection context.")
    assert (plain.status_code, plain.json()["message"]) == (404, "Missing or invalid auth collection context.")


def test_methods(club: Club):
    """Anyone may see which ways in there are."""
    answer = club.expect(200, "GET", f"{MEMBERS}/auth-methods", caller="guest")

    assert answer["password"] == {"identityFields": ["email", "nick"], "enabled": True}
    assert answer["emailPassword"] is True
    assert answer["oauth2"] == {"providers": [], "enabled": False}
