"""Tokens and session cookies that were cut off or added to are worthless, wherever they are sent."""

from __future__ import annotations

import pytest
from post_office import NEW, PASSWORD, USERS

from undercroft.auth.sessions import Device, begin_session
from undercroft.auth.tokens import issue
from undercroft.query.scope import Identity
from undercroft.records.record import find_record
from undercroft.testing import File

pytestmark = pytest.mark.anyio
MORE = ("=", "==", "A", ".", ".A", "-", "%3D", "%00", "\x00", "\t\t.", "é", '"', "\\", ",", "=" * 4096)
OWN_PAGE = {"sec-fetch-site": "same-origin"}


@pytest.fixture
async def ada(client):
    """The identity of a user, who has a protected file."""
    root = await client.superuser()
    fields = (await client.get(USERS, as_=root)).json["fields"]
    fields.append({"name": "paper", "type": "file", "protected": True, "maxSelect": 1})
    await client.patch(USERS, {"fields": fields, "viewRule": "id = @request.auth.id"}, as_=root)
    form = {"email": "ada@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}
    form["paper"] = File("paper.txt", b"secret", "text/plain")
    made = await client.post(f"{USERS}/records", form=form, as_=root)
    engine, users = client.backend.engine, client.backend.catalog.collection("users")
    return Identity(users, await find_record(engine.read, engine.dialect, users, {"id": made.json["id"]}))


def spoilt(text):
    """A text cut off after every character, and with more at its end and at its front."""
    return [*(text[:length] for length in range(len(text))), *(text + more for more in MORE), *(m + text for m in MORE)]


async def test_session_cookies(client, ada):
    """No prefix of a session's value is one, nor is anything longer."""
    value = await begin_session(client.backend.engine, ada, Device())

    async def status(text):
        headers = {"cookie": f"session={text}", **OWN_PAGE}
        return (await client.post(f"{USERS}/auth-refresh", {}, headers=headers)).status

    believed = [text for text in spoilt(value) if await status(text) != 401]

    assert len(spoilt(value)) > 70
    assert believed == []
    assert await status(value) == 200


async def test_tokens_in_the_header(client, ada):
    """No prefix of a token speaks for anybody, nor does anything longer."""
    token = issue("auth", ada.collection, ada.record, refreshable=True)
    answers = [(text, await client.post(f"{USERS}/auth-refresh", {}, as_=text)) for text in spoilt(token)]

    assert len(answers) > 250
    assert [text for text, answer in answers if answer.status != 401] == []
    assert (await client.post(f"{USERS}/auth-refresh", {}, as_=token)).status == 200


async def test_tokens_of_files(client, ada):
    """No prefix of a file's token opens it, nor does anything longer."""
    token = issue("file", ada.collection, ada.record)
    path = f"/api/files/users/{ada.id}/{ada.record['paper']}"
    answers = [(text, await client.get(path, token=text)) for text in spoilt(token)]

    assert [text for text, answer in answers if answer.status != 404] == []
    assert (await client.get(path, token=token)).status == 200


@pytest.mark.parametrize(
    ("kind", "path", "more"),
    [
        ("verification", "confirm-verification", {}),
        ("passwordReset", "confirm-password-reset", NEW),
        ("emailChange", "confirm-email-change", {"password": PASSWORD}),
    ],
)
async def test_tokens_of_letters(client, ada, kind, path, more):
    """No prefix of a letter's token does what the letter was for, nor does anything longer."""
    claims = {"email": "ada@example.com"} | ({"new_email": "new@example.com"} if kind == "emailChange" else {})
    token = issue(kind, ada.collection, ada.record, **claims)
    answers = [(text, await client.post(f"{USERS}/{path}", {"token": text, **more})) for text in spoilt(token)]

    assert [text for text, answer in answers if answer.status != 400] == []
    assert (await client.post(f"{USERS}/{path}", {"token": token, **more})).status == 204
