"""Signing in and out by plain forms."""

from __future__ import annotations

import pytest
from visitor import Sheet, Visitor

from undercroft import testing
from undercroft.pages import submissions

EMAIL, PASSWORD = "ann@example.com", "correct-horse-9"
PAGES = {
    "login.html": '{{ sign_in_form(records.users, then="/desk") }}',
    "desk.html": "{% if user %}<p>Hello {{ user.email }}</p>{{ sign_out_form() }}{% else %}<p>Nobody</p>{% endif %}",
    "join.html": '{{ form(records.users, only=["name", "email", "password"], then="/", enters=True) }}',
    "me.html": '{{ form(user, only=["name", "password"], then="/") }}',
    "index.html": "{{ user.email if user else 'guest' }}",
}


@pytest.fixture
async def site(tmp_path, database):
    """A site with a door, and one user."""
    folder = tmp_path / "site" / "pages"
    folder.mkdir(parents=True)
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    async with testing.client(tmp_path / "data", database, site=tmp_path / "site") as opened:
        body = {"email": EMAIL, "password": PASSWORD, "passwordConfirm": PASSWORD}
        await opened.post("/api/collections/users/records", body, as_=await opened.superuser())
        await opened.patch("/api/collections/users", {"createRule": ""}, as_=await opened.superuser())
        yield opened


@pytest.fixture
def visitor(site):
    """Somebody without scripts."""
    return Visitor(site)


async def sign_in(visitor, password=PASSWORD, **headers):
    """Fill in the door's form."""
    return await visitor.send(await visitor.open("/login"), {"identity": EMAIL, "password": password}, **headers)


async def test_visitor_signs_in(visitor):
    """The right password opens the desk."""
    assert "Hello ann@example.com" in (await visitor.follow(await sign_in(visitor))).text


async def test_cookie_is_for_the_server_alone(visitor):
    """No script reads it, no other site sends it."""
    line = (await sign_in(visitor)).headers["set-cookie"]

    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))


async def test_cookie_of_a_safe_connection_cannot_be_set_from_elsewhere(visitor):
    """Behind TLS it has the prefix that browsers take from this host alone."""
    line = (await sign_in(visitor, x_forwarded_proto="https")).headers["set-cookie"]

    assert line.startswith("__Host-session=")
    assert "Secure" in line.split("; ")


async def test_wrong_password_is_told_without_details(visitor):
    """The address stays in the form, and nobody learns whether it has an account."""
    answer = await sign_in(visitor, "wrong-horse-9")

    assert (answer.status, visitor.cookies) == (400, {})
    assert Sheet(answer.text).forms[0]["fields"]["identity"] == EMAIL
    assert Sheet(answer.text).forms[0]["fields"]["password"] == ""
    assert "Failed to authenticate." in answer.text


async def test_visitor_signs_out(visitor):
    """Afterwards the cookie opens nothing, wherever a copy of it is."""
    desk = await visitor.follow(await sign_in(visitor))
    copy = dict(visitor.cookies)

    answer = await visitor.send(desk, {})
    visitor.cookies = copy

    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert (await visitor.open("/")).text == "guest"


async def test_each_sign_in_makes_a_new_session(visitor):
    """A value that was there before is never taken over, and ends."""
    await sign_in(visitor)
    first = dict(visitor.cookies)
    await sign_in(visitor)
    second = dict(visitor.cookies)
    visitor.cookies = first

    assert first != second
    assert (await visitor.open("/")).text == "guest"


async def test_planted_cookie_is_not_adopted(visitor):
    """Whoever set a cookie beforehand has no session of anybody's afterwards."""
    visitor.cookies = {"session": "p" * 43}

    await sign_in(visitor)

    assert visitor.cookies["session"] != "p" * 43


async def test_other_sites_cannot_sign_anybody_in_or_out(visitor):
    """Forms from elsewhere change nothing."""
    assert (await sign_in(visitor, sec_fetch_site="cross-site")).status == 403
    desk = await visitor.follow(await sign_in(visitor))

    assert (await visitor.send(desk, {}, sec_fetch_site="cross-site")).status == 403
    assert "Hello" in (await visitor.open("/desk")).text


async def test_form_of_a_guest_does_not_sign_out(visitor):
    """A token is of the session in which its form was drawn."""
    page = await visitor.open("/login")
    await sign_in(visitor)

    answer = await visitor.send(page, {"identity": EMAIL, "password": PASSWORD})

    assert answer.status == 403


async def test_passwords_cannot_be_guessed_at_will(visitor):
    """Five tries in a quarter of an hour."""
    for _ in range(5):
        await sign_in(visitor, "wrong-horse-9")

    answer = await sign_in(visitor)
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) > 600


async def test_right_passwords_are_not_counted(visitor):
    """Whoever knows the password comes in as often as they like."""
    for _ in range(12):
        assert (await sign_in(visitor)).status == 303


async def test_what_a_signed_in_visitor_sees_is_in_no_cache(visitor):
    """A page for one is kept by none."""
    await sign_in(visitor)

    assert (await visitor.open("/")).headers["cache-control"] == "private, no-store"


async def test_visitor_signs_up(visitor, monkeypatch):
    """A new account is signed in at once."""
    monkeypatch.setattr(submissions, "MIN_SECONDS", 0.0)
    typed = {"name": "Bea", "email": "bea@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}

    answer = await visitor.send(await visitor.open("/join"), typed)

    assert (await visitor.follow(answer)).text == "bea@example.com"


async def test_sign_up_tells_what_is_wrong(visitor, monkeypatch):
    """Passwords that differ, and addresses that are taken, stand beside their fields."""
    monkeypatch.setattr(submissions, "MIN_SECONDS", 0.0)
    page = await visitor.open("/join")
    other = {"name": "Bea", "email": "bea@example.com", "password": PASSWORD, "passwordConfirm": "x"}
    taken = {**other, "email": EMAIL, "passwordConfirm": PASSWORD}

    differ, exists = await visitor.send(page, other), await visitor.send(page, taken)

    assert Sheet(differ.text).inputs["passwordConfirm"]["aria-invalid"] == "true"
    assert Sheet(exists.text).inputs["email"]["aria-invalid"] == "true"
    assert visitor.cookies == {}


async def test_sign_up_where_the_rule_wants_more(site, visitor, monkeypatch):
    """An account that may not come in yet is made, and waits outside."""
    monkeypatch.setattr(submissions, "MIN_SECONDS", 0.0)
    await site.patch("/api/collections/users", {"authRule": "verified = true"}, as_=await site.superuser())
    typed = {"name": "Bea", "email": "bea@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}

    answer = await visitor.send(await visitor.open("/join"), typed)

    assert (await visitor.follow(answer)).text == "guest"


async def test_visitor_changes_the_password(visitor):
    """The old password is asked for, and a name can be changed without it."""
    await sign_in(visitor)
    new = {"password": "another-horse-9", "passwordConfirm": "another-horse-9"}

    named = await visitor.send(await visitor.open("/me"), {"name": "Anna"})
    refused = await visitor.send(await visitor.open("/me"), {**new, "oldPassword": "wrong-horse-9"})
    changed = await visitor.send(await visitor.open("/me"), {**new, "oldPassword": PASSWORD})

    assert [answer.status for answer in (named, refused, changed)] == [303, 422, 303]
    assert Sheet(refused.text).inputs["oldPassword"]["aria-invalid"] == "true"
    assert (await visitor.open("/")).text == "guest"
