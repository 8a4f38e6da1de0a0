"""Providers that answer what is no answer, or cannot be asked: nobody gets in, and nothing breaks."""

from __future__ import annotations

import pytest
from door import USERS
from idp import ADA

pytestmark = pytest.mark.anyio

ANSWERS = {
    "no JSON": b"<html>",
    "no object": [],
    "no token": {},
    "an empty token": {"access_token": ""},
    "a token that is none": {"access_token": {"a": 1}},
    "a token with a line break": {"access_token": "a\nX-Evil: 1"},
    "a token beyond ASCII": {"access_token": "ü"},
    "too much": b'{"access_token": "a", "x": "' + b"x" * 2_000_000 + b'"}',
    "too deep": b'{"access_token": ' + b"[" * 100_000,
}


async def test_bad_answers_for_a_code(door):
    """What is no answer to a code gets nobody in."""
    found = {}
    for name, said in ANSWERS.items():
        door.idp.alter_answer = lambda _, said=said: said
        found[name] = (await door.come()).json

    refused = {"data": {}, "message": "Failed to fetch OAuth2 token.", "status": 400}
    assert [name for name in ANSWERS if found[name] != refused] == []


async def test_an_answer_that_is_a_form(door):
    """Some providers answer a code by a form."""
    door.idp.alter_answer = lambda answer: f"access_token={answer['access_token']}&scope=a&token_type=bearer".encode()
    answer = await door.come()

    assert (answer.status, answer.json["meta"]["expiry"], answer.json["meta"]["refreshToken"]) == (200, "", "")


USERS_SAID = {
    "no JSON": b"<html>",
    "no object": [ADA],
    "nobody": {},
    "no id": {"name": "Ada"},
    "an empty id": ADA | {"sub": ""},
    "an id that is none": ADA | {"sub": {"a": 1}},
    "an id that is yes": ADA | {"sub": True},
    "an id with a NUL": ADA | {"sub": "a\0b"},
    "half a character": b'{"sub": "\\ud800"}',
    "too much": b'{"sub": "' + b"x" * 2_000_000 + b'"}',
    "too deep": b'{"sub": ' + b"[" * 100_000,
}


async def test_bad_answers_about_somebody(door):
    """What does not say who it is gets nobody in."""
    found = {}
    for name, said in USERS_SAID.items():
        door.idp.alter_user = lambda _, said=said: said
        found[name] = (await door.come()).json

    refused = {"data": {}, "message": "Failed to fetch OAuth2 user.", "status": 400}
    assert [name for name in USERS_SAID if found[name] != refused] == []
    assert await door.accounts() == []


async def test_a_provider_that_cannot_be_asked(door):
    """A provider that is not there, or where none may be, gets nobody in."""
    found = []
    for url in ("http://127.0.0.1:1/token", "http://169.254.169.254/token", "http://[::1]:1/", "http://x:y@127.0.0.1/"):
        await door.know(door.idp.config(tokenURL=url), door.idp.config("oidc2", userInfoURL=url))
        found += [(await door.come(name)).code for name in ("oidc", "oidc2")]

    assert found == ["oauth2_code_refused", "oauth2_user_refused"] * 4


async def test_a_provider_in_a_private_network(client, idp):
    """Nothing in a private network is asked unless it was named before the start."""
    options = {"oauth2": {"enabled": True, "providers": [idp.config()]}}
    assert (await client.patch(USERS, options, as_=await client.superuser())).status == 200
    form = {"provider": "oidc", "code": "c", "codeVerifier": "v"}
    answer = await client.post(f"{USERS}/auth-with-oauth2", form)

    assert (answer.status, answer.code) == (400, "oauth2_code_refused")
    assert idp.asked == []
