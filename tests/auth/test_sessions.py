"""Sessions in cookies: whose they are, when they count, when they end."""

from __future__ import annotations

import time

import pytest

from undercroft.auth import form_token, sessions
from undercroft.auth.form_token import FormExpired, form_age, issue_form_token, load_form_key
from undercroft.auth.sessions import Device, begin_session, end_session, find_session
from undercroft.query.scope import Identity
from undercroft.records.record import find_record
from undercroft.testing import File

OWN_PAGE = {"sec-fetch-site": "same-origin"}
EMAIL, PASSWORD = "ann@example.com", "correct-horse-9"


@pytest.fixture
async def ann(client):
    """The identity of a user."""
    root = await client.superuser()
    body = {"email": EMAIL, "password": PASSWORD, "passwordConfirm": PASSWORD}
    made = await client.post("/api/collections/users/records", body, as_=root)
    return await load_identity(client, made.json["id"])


async def load_identity(client, record_id):
    """An account as it is stored now."""
    backend = client.backend
    collection = backend.catalog.collection("users")
    engine = backend.engine
    return Identity(collection, await find_record(engine.read, engine.dialect, collection, {"id": record_id}))


async def view(client, ann, cookie, **headers):
    """Ann's record, asked for with a cookie."""
    sent = {"cookie": cookie} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.get(f"/api/collections/users/records/{ann.id}", headers=sent)


async def test_a_session_stands_for_its_account(client, ann):
    """Whoever has the cookie's value is the account."""
    value = await begin_session(client.backend.engine, ann, Device("10.0.0.1", "Browser"))

    found = await find_session(client.backend, value)

    assert found is not None
    assert (found.collection.name, found.id) == ("users", ann.id)


async def test_value_is_not_stored(client, ann):
    """The table tells nothing that could be put into a cookie."""
    value = await begin_session(client.backend.engine, ann, Device())

    rows = await client.backend.engine.read('SELECT * FROM "_sessions"')

    assert len(rows) == 2  # with the log-in of the superuser
    assert value not in str(rows)


@pytest.mark.parametrize("value", ["", "x" * 43, "é" * 43, "x" * 5000])
async def test_unknown_values_are_nobodys(client, ann, value):
    """A made-up value is a guest's."""
    await begin_session(client.backend.engine, ann, Device())

    assert await find_session(client.backend, value) is None


async def test_signing_out_ends_the_session_alone(client, ann):
    """The account's other sessions go on."""
    engine = client.backend.engine
    first, second = [await begin_session(engine, ann, Device()) for _ in range(2)]

    await end_session(engine, first)

    assert await find_session(client.backend, first) is None
    assert await find_session(client.backend, second) is not None


async def test_new_password_ends_sessions(client, ann):
    """What ends an account's tokens ends its sessions."""
    value = await begin_session(client.backend.engine, ann, Device())
    changed = {"password": "another-horse-9", "passwordConfirm": "another-horse-9"}

    answer = await client.patch(f"/api/collections/users/records/{ann.id}", changed, as_=await client.superuser())

    assert answer.status == 200
    assert await find_session(client.backend, value) is None


async def test_deleted_accounts_have_no_session(client, ann):
    """A cookie outlives nobody."""
    value = await begin_session(client.backend.engine, ann, Device())

    await client.delete(f"/api/collections/users/records/{ann.id}", as_=await client.superuser())

    assert await find_session(client.backend, value) is None


async def test_sessions_end_by_themselves(client, ann, monkeypatch):
    """After their time they are nobody's, and then forgotten."""
    engine = client.backend.engine
    monkeypatch.setattr(sessions, "SECONDS", -1)
    value = await begin_session(engine, ann, Device())

    assert await find_session(client.backend, value) is None
    assert await sessions.has_old_sessions(engine)
    await engine.write(lambda tx: sessions.forget_old_sessions(tx, engine.dialect))
    assert not await sessions.has_old_sessions(engine)


async def test_cookie_counts_from_our_own_page(client, ann):
    """A request that a page of ours makes is the account's."""
    value = await begin_session(client.backend.engine, ann, Device())

    answer = await view(client, ann, f"a=b; session={value}; c=d", sec_fetch_site="same-origin")

    assert answer.status == 200
    assert answer.json["email"] == EMAIL


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "origin": "http://testserver"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://testserver.evil.example"},
        {"origin": "http://testserver@evil.example"},
        {"origin": "http://[broken"},
    ],
)
async def test_cookie_of_a_foreign_request_is_a_guests(client, ann, headers):
    """What another site makes a browser send has no rights."""
    value = await begin_session(client.backend.engine, ann, Device())

    answer = await view(client, ann, f"session={value}", **headers)

    assert answer.status == 404


async def test_write_opened_by_hand_does_not_count(client, ann):
    """No address bar sends a PATCH."""
    value = await begin_session(client.backend.engine, ann, Device())
    sent = {"cookie": f"session={value}", "sec-fetch-site": "none"}

    answer = await client.patch(f"/api/collections/users/records/{ann.id}", {"name": "x"}, headers=sent)

    assert answer.status == 404


async def test_bearer_token_goes_before_the_cookie(client, ann):
    """Who sends both is whom the token names."""
    value = await begin_session(client.backend.engine, ann, Device())
    sent = {"cookie": f"session={value}", **OWN_PAGE}

    answer = await client.get("/api/settings", headers=sent, as_=await client.superuser())

    assert answer.status == 200


async def test_protected_files_open_from_our_own_pages(client, ann):
    """A link in a page of ours works without a token, and a foreign page's does not."""
    root = await client.superuser()
    field = {"name": "file", "type": "file", "protected": True}
    rule = f'@request.auth.id = "{ann.id}"'
    await client.post(
        "/api/collections", {"name": "docs", "type": "base", "fields": [field], "viewRule": rule}, as_=root
    )
    made = await client.post("/api/collections/docs/records", form={"file": File("a.txt", b"secret")}, as_=root)
    value = await begin_session(client.backend.engine, ann, Device())
    path = f"/api/files/docs/{made.json['id']}/{made.json['file']}"
    cookie = {"cookie": f"session={value}"}

    own = await client.get(path, headers={**cookie, **OWN_PAGE})
    foreign = await client.get(path, headers={**cookie, "sec-fetch-site": "cross-site"})

    assert (own.status, own.body, own.headers["cache-control"]) == (200, b"secret", "private, no-store")
    assert foreign.status == 404


async def test_huge_cookie_header_is_not_read(client, ann):
    """Eight kilobytes of cookies are enough for anybody."""
    value = await begin_session(client.backend.engine, ann, Device())

    answer = await view(client, ann, f"a={'x' * 9000}; session={value}", sec_fetch_site="same-origin")

    assert answer.status == 404


async def test_prefixed_name_where_the_connection_is_safe(client, ann):
    """Behind TLS only the cookie that no other host can set counts."""
    value = await begin_session(client.backend.engine, ann, Device())
    safe = {"x_forwarded_proto": "https", "sec_fetch_site": "same-origin"}

    assert (await view(client, ann, f"session={value}", **safe)).status == 404
    assert (await view(client, ann, f"__Host-session={value}", **safe)).status == 200


async def test_form_key_is_made_once(engine):
    """All servers of a database sign alike."""
    assert await load_form_key(engine) == await load_form_key(engine)


def test_form_token_tells_its_age(monkeypatch):
    """A token knows when it was handed out."""
    token = issue_form_token(b"key", "session")
    later = time.time() + 60
    monkeypatch.setattr(form_token.time, "time", lambda: later)

    assert 59 <= form_age(b"key", "session", token) <= 61


def test_no_two_form_tokens_are_alike():
    """A page that is compressed tells nothing of its token by its size."""
    assert issue_form_token(b"key", "session") != issue_form_token(b"key", "session")


@pytest.mark.parametrize("token", ["", ".", "zz.aa", "5f000000.", "5f000000." + "0" * 64, "é.é", "5f.\udcff"])
def test_forged_form_tokens_are_refused(token):
    """A signature cannot be guessed, and odd text breaks nothing."""
    with pytest.raises(FormExpired):
        form_age(b"key", "session", token)


def test_form_token_of_another_session_is_refused():
    """What a guest was handed is worth nothing to one who signed in."""
    with pytest.raises(FormExpired):
        form_age(b"key", "session", issue_form_token(b"key", ""))


def test_form_tokens_grow_old(monkeypatch):
    """After half a day a form must be opened anew."""
    token = issue_form_token(b"key", "")
    later = time.time() + form_token.LIFETIME + 5
    monkeypatch.setattr(form_token.time, "time", lambda: later)

    with pytest.raises(FormExpired):
        form_age(b"key", "", token)
