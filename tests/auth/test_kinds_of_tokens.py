"""What lets somebody do one thing lets them do no other: every kind of token and code at every endpoint."""

from __future__ import annotations

import re
import time

import pytest
from everywhere import GUARDED, OPEN, path_of
from post_office import NEW, PASSWORD, USERS, token_in

from undercroft.auth.mfa import begin_mfa
from undercroft.auth.sessions import Device, begin_session
from undercroft.auth.tokens import issue
from undercroft.query.scope import Identity
from undercroft.records.record import find_record
from undercroft.testing import File

pytestmark = pytest.mark.anyio
STAFF = "/api/collections/staff"
OPTIONS = {
    "otp": {"enabled": True, "length": 8},
    "magicLink": {"enabled": True},
    "invitations": {"enabled": True},
    "passkeys": {"enabled": True},
    "totp": {"enabled": True},
}
SPEAKS = {"auth", "static", "auth of staff", "key"}
"""What speaks for an account in the header of a request."""
STREAMS = {("GET", "/api/realtime")}


async def identity_of(client, collection, record_id):
    engine, home = client.backend.engine, client.backend.catalog.collection(collection)
    return Identity(home, await find_record(engine.read, engine.dialect, home, {"id": record_id}))


def sealed(account, prefix=""):
    """A token of each kind for an account."""
    email = account.record["email"]
    claims = {
        "auth": {"refreshable": True, "iat": int(time.time())},
        "file": {},
        "verification": {"email": email},
        "passwordReset": {"email": email},
        "emailChange": {"email": email, "new_email": f"new-{email}"},
    }
    return {kind + prefix: issue(kind, account.collection, account.record, **more) for kind, more in claims.items()}


@pytest.fixture
async def hand(office):
    """A post office, and everything that an account, one of another collection, and an invited person have in hand."""
    fields = [
        *(await office.client.get(USERS, as_=office.root)).json["fields"],
        {"name": "paper", "type": "file", "protected": True, "maxSelect": 1},
    ]
    await office.options(**OPTIONS, fields=fields, viewRule="id = @request.auth.id", authAlert={"enabled": False})
    staff = {"name": "staff", "type": "auth", "viewRule": "id = @request.auth.id", **OPTIONS}
    assert (await office.client.post("/api/collections", staff, as_=office.root)).status == 200
    ada = await identity_of(office.client, "users", await office.join(verified=True))
    secret = {"password": PASSWORD, "passwordConfirm": PASSWORD}
    made = await office.client.post(f"{STAFF}/records", {"email": "ada@example.com"} | secret, as_=office.root)
    colleague = await identity_of(office.client, "staff", made.json["id"])
    code, static = await office.code(), await office.client.post(f"{USERS}/impersonate/{ada.id}", {}, as_=office.root)
    tokens = sealed(ada)
    key = await office.client.post("/api/api-keys", {"name": "import", "scopes": ["*"]}, as_=tokens["auth"])
    return (
        office,
        ada,
        tokens
        | sealed(colleague, " of staff")
        | {
            "static": static.json["token"],
            "key": key.json["key"],
            "code id": code["otpId"],
            "code": code["password"],
            "first half": await begin_mfa(office.client.backend, ada, "password"),
            "first half of staff": await begin_mfa(office.client.backend, colleague, "password"),
            "link": token_in(await office.letter("request-magic-link", email="ada@example.com")),
            "invitation": token_in(await office.letter("invitations", office.root, email="eve@example.com")),
            "session": await begin_session(office.client.backend.engine, ada, Device()),
        },
    )


def without_ids(answer):
    """What an answer says, but for ids that are new with each."""
    return answer.status, re.sub(rb'"otpId":"\w+"|"challenge":"[\w-]+"', b"", answer.body)


async def test_in_the_header(hand):
    """In the header only a token that somebody logged in for, or was lent, speaks for them; with others one is a guest."""
    office, _, held = hand
    believed = [
        (name, route.method, route.pattern)
        for name, text in held.items()
        if name not in SPEAKS
        for route in GUARDED
        for header in (text, f"Bearer {text}")
        if (await office.client.request(route.method, path_of(route, "users"), as_=header)).status != 401
    ]

    assert len(held) >= 18
    assert believed == []
    for name in SPEAKS:
        answer = await office.client.post("/api/files/token", as_=held[name])
        assert answer.status == 200, name


async def test_in_the_header_where_guests_may_go(hand):
    """Where guests may go, such a token makes no difference: the answer is that to a guest."""
    office, _, held = hand
    different = []
    for route in OPEN:
        path = path_of(route, "users")
        if (route.method, route.pattern) in STREAMS:
            continue
        guest = without_ids(await office.client.request(route.method, path))
        different += [
            (name, route.method, route.pattern)
            for name, text in held.items()
            if name not in SPEAKS and without_ids(await office.client.request(route.method, path, as_=text)) != guest
        ]
    assert different == []


DOORS = {
    "verification": ("confirm-verification", "token", {}),
    "passwordReset": ("confirm-password-reset", "token", NEW),
    "emailChange": ("confirm-email-change", "token", {"password": PASSWORD}),
    "link": ("auth-with-magic-link", "token", {}),
    "invitation": ("accept-invitation", "token", NEW),
    "first half": ("request-passkey-login", "mfaId", {}),
}


async def test_in_the_body(hand):
    """What is sent to an endpoint opens it only if it was made for it, by the same collection; nothing is used up."""
    office, ada, held = hand
    before = await office.record(ada.id)
    doors = [
        ("check-invitation", "token", {}, "invitation"),
        ("auth-with-otp", "otpId", {"password": held["code"]}, "code id"),
        ("auth-with-totp", "mfaId", {"code": "000000"}, "nothing"),
        *((*door, own) for own, door in DOORS.items()),
    ]
    opened = [
        (name, path)
        for path, key, more, own in doors
        for name, text in held.items()
        if name != own and (await office.ask(path, **{key: text}, **more)).status not in {400, 403, 404}
    ]
    after = await office.record(ada.id)

    assert opened == []
    assert after == before
    for path, key, more, own in doors:
        if own in {"nothing", "passwordReset", "emailChange"}:
            continue
        answer = await office.ask(path, **{key: held[own]}, **more)
        assert answer.status in {200, 204}, (path, answer.text)


@pytest.mark.parametrize("kind", ["passwordReset", "emailChange"])
async def test_what_ends_the_others(hand, kind):
    """A letter's token that brings a new password or address opens its own endpoint, and ends all that was held."""
    office, _, held = hand
    path, key, more = DOORS[kind]

    assert (await office.ask(path, **{key: held[kind]}, **more)).status == 204

    for name in ("auth", "static", "file", "verification", "passwordReset", "emailChange"):
        assert not await office.knows(held[name])
    assert (await office.client.post("/api/files/token", as_=held["key"])).status == 401
    for other, (door, name, body) in DOORS.items():
        if other in {"verification", "passwordReset", "emailChange", "link"}:
            assert (await office.ask(door, **{name: held[other]}, **body)).status == 400, other


async def test_for_files(hand):
    """A protected file opens with a file token of who may see it, in the address alone, and with nothing else."""
    office, ada, held = hand
    form = {"paper": File("paper.txt", b"secret", "text/plain")}
    made = await office.client.patch(f"{USERS}/records/{ada.id}", form=form, as_=office.root)
    path = f"/api/files/users/{ada.id}/{made.json['paper']}"

    opened = {name for name, text in held.items() if (await office.client.get(path, token=text)).status == 200}
    by_header = {name for name, text in held.items() if (await office.client.get(path, as_=text)).status == 200}

    assert opened == {"file"}
    assert by_header == set()


async def test_in_the_cookie(hand):
    """Only the value of a session is one in a cookie."""
    office, _, held = hand
    known = set()
    for name, text in held.items():
        headers = {"cookie": f"session={text}", "sec-fetch-site": "same-origin"}
        if (await office.client.post(f"{USERS}/auth-refresh", {}, headers=headers)).status != 401:
            known.add(name)

    assert known == {"session"}


async def test_of_another_collection(hand):
    """Whoever has an account in one collection has none in another."""
    office, _, held = hand
    own = ("auth-refresh", "request-passkey", "confirm-passkey", "request-totp", "confirm-totp", "disable-totp")
    statuses = {
        path: (await office.ask(path, held["auth of staff"], newEmail="x@example.com")).status
        for path in (*own, "renew-recovery-codes", "request-email-change")
    }

    assert set(statuses.values()) == {403}, statuses


async def test_a_token_that_was_lent(hand):
    """A token that a superuser was given for an account is not renewed, and changes no way into the account."""
    office, _, held = hand
    refreshed = await office.client.post(f"{USERS}/auth-refresh", {}, as_=held["static"])
    changes = {path: (await office.ask(path, held["static"])).code for path in ("request-passkey", "request-totp")}

    assert refreshed.json["token"] == held["static"]
    assert changes == {"request-passkey": "sign_in_again", "request-totp": "sign_in_again"}
