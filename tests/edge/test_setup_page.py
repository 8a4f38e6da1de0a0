"""The set-up link: one superuser, once."""

import asyncio
import logging
import re

import pytest

from undercroft.auth import setup_link

FORM = {"email": "first@example.com", "password": "a-long-password", "passwordConfirm": "a-long-password"}


@pytest.fixture
async def path(client):
    return f"/_/setup/{await setup_link.make_link(client.backend.engine)}"


async def test_page(client, path):
    """The page holds a form and nothing that is loaded from anywhere; its address is told to nobody."""
    answer = await client.get(path)

    assert answer.status == 200
    assert '<form method="post"' in answer.text
    assert "script" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


async def test_makes_a_superuser(client, path):
    """Who sends the form is a superuser from then on."""
    assert (await client.post(path, form=FORM)).status == 200
    assert await client.login("_superusers", FORM["email"], FORM["password"])


async def test_single_use(client, path):
    """A link that was used is spent: for its page, for its form, for a second superuser."""
    await client.post(path, form=FORM)

    assert (await client.get(path)).status == 404
    assert (await client.post(path, form=FORM | {"email": "second@example.com"})).status == 404


async def test_two_at_once(client, path):
    """Of two who use the link at once, one is a superuser."""
    forms = [FORM | {"email": f"{name}@example.com"} for name in ("a", "b", "c")]
    answers = await asyncio.gather(*(client.post(path, form=form) for form in forms))

    assert sorted(answer.status for answer in answers) == [200, 404, 404]
    rows = await client.backend.engine.read('SELECT count(*) FROM "_superusers"')
    assert rows == [(1,)]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"passwordConfirm": "other"}, "not the same"),
        ({"password": "short", "passwordConfirm": "short"}, "password"),
        ({"email": "x"}, "email"),
        ({"email": "<b>@example.com"}, "&lt;b&gt;"),
    ],
)
async def test_bad_input_does_not_spend_it(client, path, change, word):
    """After a mistake the form comes again, says what was wrong, and still works."""
    answer = await client.post(path, form=FORM | change)

    assert answer.status == 400
    assert word in answer.text
    assert "<b>@" not in answer.text
    assert (await client.post(path, form=FORM)).status == 200


async def test_expired(client, path, monkeypatch):
    """After half an hour the link is spent."""
    later = setup_link.time.time() + setup_link.SECONDS + 1
    monkeypatch.setattr(setup_link.time, "time", lambda: later)

    assert (await client.get(path)).status == 404
    assert (await client.post(path, form=FORM)).status == 404


async def test_new_link_ends_the_old_one(client, path):
    """There is one link at a time."""
    await setup_link.make_link(client.backend.engine)

    assert (await client.get(path)).status == 404


async def test_no_link_beside_a_superuser(client, path):
    """Once there is a superuser, no link makes another."""
    await client.superuser()

    assert (await client.post(path, form=FORM)).status == 404


async def test_token_is_not_kept(client, path):
    """The database holds a hash of the token, not the token."""
    token = path.rpartition("/")[2]
    rows = await client.backend.engine.read('SELECT "value" FROM "_params"')

    assert token not in str(rows)
    assert re.fullmatch(r"[A-Za-z0-9]{40}", token)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_forms_of_other_sites(client, path, headers):
    """A form on another site cannot be sent here, and does not spend the link."""
    assert (await client.post(path, form=FORM, headers=headers)).status == 403
    assert (await client.post(path, form=FORM, headers={"origin": "http://testserver"})).status == 200


@pytest.mark.parametrize("token", ["x", "%00", "%ff", "' OR 1=1 --", "a" * 5000])
async def test_guessing(client, token):
    """What is no token opens nothing."""
    assert (await client.get(f"/_/setup/{token}")).status == 404
    assert (await client.post(f"/_/setup/{token}", form=FORM)).status == 404


async def test_not_in_the_log(client, path, caplog):
    """A line about a request for the link does not have its token."""
    with caplog.at_level(logging.INFO, "undercroft.access"):
        assert (await client.get(path)).status == 200

    assert "GET /_/setup/*** 200" in caplog.text
    assert path.rpartition("/")[2] not in caplog.text
