"""How tokens die, and how they do not."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from club import KINDS, MEMBERS, Account, Club
from forgery import FORGERIES, Target, sign
from servers import PASSWORD

AUTHED = [
    ("POST", f"{MEMBERS}/auth-refresh"),
    ("POST", f"{MEMBERS}/impersonate/nobody000000000"),
    ("GET", "/api/collections"),
    ("GET", "/api/settings"),
]
NEW = {"password": "another-one", "passwordConfirm": "another-one"}


def change_password(club: Club, account: Account) -> None:
    club.server.tokens["member"] = club.log_in(account)
    body = NEW | {"oldPassword": account.password}
    club.expect(200, "PATCH", f"{MEMBERS}/records/{account.id}", body, "member")


def by_superuser(**body: object) -> Callable[[Club, Account], None]:
    def change(club: Club, account: Account) -> None:
        club.expect(200, "PATCH", f"{MEMBERS}/records/{account.id}", body)

    return change


def delete(club: Club, account: Account) -> None:
    club.expect(204, "DELETE", f"{MEMBERS}/records/{account.id}")


def delete_and_come_back(club: Club, account: Account) -> None:
    delete(club, account)
    secret = {"password": PASSWORD, "passwordConfirm": PASSWORD}
    body = {"id": account.id, "email": account.email, "nick": account.nick}
    club.expect(200, "POST", f"{MEMBERS}/records", body | secret)


ENDS = {
    "password changed by its owner": change_password,
    "password set by a superuser": by_superuser(**NEW),
    "e-mail address set by a superuser": by_superuser(email="moved@example.com"),
    "token key set by a superuser": by_superuser(tokenKey="k" * 40),
    "token key made anew": by_superuser(**{"tokenKey:autogenerate": ""}),
    "deleted": delete,
    "deleted and made again under the same id": delete_and_come_back,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_ends_every_session(club: Club, end: Callable[[Club, Account], None]):
    """This ends every token of the account, renewable or not."""
    account = club.join()
    tokens = [club.log_in(account), club.impersonate(account)]
    assert [club.refresh(token).status_code for token in tokens] == [200, 200]

    end(club, account)

    assert [club.refresh(token).status_code for token in tokens] == [401, 401]


@pytest.mark.parametrize("body", [{"rank": "chief"}, {"verified": False}, {"emailVisibility": True}, {}])
def test_sessions_go_on(club: Club, body: dict[str, object]):
    """Nothing else does."""
    account = club.join()
    token = club.log_in(account)

    by_superuser(**body)(club, account)

    assert club.refresh(token).status_code == 200


@pytest.mark.parametrize(
    "change", [{"authToken": {"secret": "s" * 40}}, {"authRule": "id != ''"}], ids=["secret", "rule"]
)
def test_collection_ends_sessions(club: Club, change: dict[str, object]):
    """A new secret or a new auth rule ends every session of the collection."""
    name = f"guild{next(iter(change)).lower()}"
    club.expect(200, "POST", "/api/collections", {"name": name, "type": "auth"})
    new = {"email": "ada@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}
    club.expect(200, "POST", f"/api/collections/{name}/records", new)
    login = {"identity": "ada@example.com", "password": PASSWORD}
    token = club.expect(200, "POST", f"/api/collections/{name}/auth-with-password", login, "guest")["token"]
    assert club.refresh(token, name).status_code == 200

    club.expect(200, "PATCH", f"/api/collections/{name}", change)

    assert club.refresh(token, name).status_code == 401


def test_banned_later(club: Club):
    """Who the auth rule refuses from now on cannot renew a token."""
    account = club.join()
    token = club.log_in(account)

    by_superuser(rank="banned")(club, account)

    assert club.refresh(token).status_code == 403


def test_refresh_renews(club: Club):
    """A refresh answers with a token that lasts longer, and the old one stays good until its end."""
    account = club.join()
    first = club.log_in(account)
    time.sleep(1.1)

    second = club.refresh(first).json()["token"]

    assert second != first
    assert club.refresh(first).status_code == club.refresh(second).status_code == 200


def test_refresh_of_another_collection(club: Club):
    """A token is renewed in its own collection only."""
    answer = club.refresh(club.log_in(club.join()), "_superusers")

    assert answer.status_code == 403
    assert answer.json()["message"] == "The request requires auth record from members collection."


def test_expiry(club: Club):
    """A token ends by itself."""
    token = club.impersonate(club.join(), duration=1)
    assert club.refresh(token).status_code == 200
    time.sleep(1.1)

    assert club.refresh(token).status_code == 401


def test_impersonation(club: Club):
    """A superuser's token for somebody else cannot be renewed: the same comes back."""
    token = club.impersonate(club.join(), duration=600)

    assert club.refresh(token).json()["token"] == token


def test_impersonation_ignores_the_auth_rule(club: Club):
    """A superuser gets a token also for those who may not log in."""
    account = club.join(rank="banned")

    assert club.impersonate(account)


def test_impersonation_is_for_superusers(club: Club):
    """Nobody else impersonates anybody."""
    account = club.join()
    club.server.tokens["member"] = club.log_in(account)
    path = f"{MEMBERS}/impersonate/{account.id}"

    assert club.server.call("POST", path, {}, "guest").status_code == 401
    assert club.server.call("POST", path, {}, "member").status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"duration": -1}, 400),
        ({"duration": "long"}, 400),
        ({"duration": 1.5}, 400),
        ({"duration": 10**30}, 400),
        ({"duration": 0}, 200),
    ],
)
def test_impersonation_duration(club: Club, body: dict[str, object], status: int):
    """A duration is a whole number of seconds from 0 on."""
    account = club.join()

    assert club.server.call("POST", f"{MEMBERS}/impersonate/{account.id}", body).status_code == status


def test_impersonation_of_nobody(club: Club):
    """Who is not there cannot be impersonated."""
    assert club.server.call("POST", f"{MEMBERS}/impersonate/nobody000000000", {}).status_code == 404


@pytest.fixture(scope="module")
def stolen(club: Club) -> Target:
    """A superuser's token whose key the forger does not have, and what it says."""
    token = club.server.tokens["root"]
    with club.database() as database:
        root_id, key = database.execute("SELECT id, tokenKey FROM _superusers").fetchone()
    made = club.target(Account(root_id, "", ""), collection="_superusers", refreshable=True)
    return Target(token, made.claims, key, made.secret)


def can_be_sent(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()


@pytest.mark.parametrize(("method", "path"), AUTHED)
def test_forgeries_open_nothing(club: Club, stolen: Target, method: str, path: str):
    """No forged token of a superuser opens a route that asks who one is."""
    for name, forge in FORGERIES.items():
        forged = forge(stolen)
        if can_be_sent(forged):
            answer = club.server.call(method, path, caller="guest", headers={"Authorization": forged})
            assert answer.status_code == 401, name


def test_forgeries_are_guests(club: Club, stolen: Target):
    """On a public route a forged token is a guest's, and no error."""
    for name, forge in FORGERIES.items():
        forged = forge(stolen)
        if can_be_sent(forged):
            answer = club.server.call(
                "GET", "/api/collections/books/records", caller="guest", headers={"Authorization": forged}
            )
            assert answer.status_code == 200, name


def test_forger_tools(club: Club, stolen: Target):
    """With the true key the same tools make a token that is believed, so the tests above test something."""
    made = sign(stolen.claims, stolen.key)

    assert club.refresh(made, "_superusers").status_code == 200


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "auth"])
@pytest.mark.parametrize(("method", "path"), AUTHED)
def test_other_kinds_open_nothing(club: Club, kind: str, method: str, path: str):
    """A token of any other kind, rightly signed, is worth nothing as an auth token."""
    target = club.target(club.join(), kind, email="x@example.com")
    token = sign(target.claims, target.key)

    assert club.server.call(method, path, caller="guest", headers={"Authorization": token}).status_code == 401


def test_prefixes_open_nothing(club: Club):
    """A token cut short anywhere is worth nothing."""
    token = club.log_in(club.join())

    statuses = {club.refresh(token[:length]).status_code for length in range(0, len(token), 3)}

    assert statuses == {401}
