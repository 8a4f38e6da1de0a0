"""What is secret in a log-in, and where it is seen: never in an address, a header that is passed on, a log or a refusal."""

from __future__ import annotations

import logging
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

import pytest
from door import USERS
from idp import PNG, SECRET

pytestmark = pytest.mark.anyio
WAY_BACK = "/api/oauth2-redirect"


async def walk(door):
    """A whole log-in: the way there, the window that comes back, the code, and the picture; what is secret in it."""
    door.idp.files["/ada.png"] = (200, "image/png", PNG)
    ticket = await door.ticket(picture=f"{door.idp.url}/ada.png")
    async with door.client.listen("@oauth2") as listener:
        window = await door.client.get(WAY_BACK, state=listener.client_id, code=ticket["code"])
    answer = await door.submit(ticket)
    assert answer.status == 200, answer.text
    meta = answer.json["meta"]
    secrets = {
        "the client's secret": SECRET,
        "the verifier": ticket["codeVerifier"],
        "the code": ticket["code"],
        "the provider's token": meta["accessToken"],
        "the provider's refresh token": meta["refreshToken"],
        "our token": answer.json["token"],
    }
    return window, answer, secrets


def seen_in(text, secrets):
    """Which of the secrets stand in a text, as they are or as a URL has them."""
    written = {name: (value, quote(value, safe=""), quote_plus(value)) for name, value in secrets.items()}
    return {name for name, ways in written.items() if any(way in text for way in ways)}


async def test_where_secrets_go(door, caplog):
    """The provider's server alone hears what is for it, in the body or the one header that is for that; logs hear nothing."""
    caplog.set_level(logging.DEBUG)
    window, answer, secrets = await walk(door)
    exchange, user, picture = door.idp.asked

    assert [seen_in(asked.path, secrets) for asked in door.idp.asked] == [set()] * 3
    assert seen_in(exchange.body, secrets) == {"the code", "the verifier"}
    headers = [(name, seen_in(value, secrets)) for asked in door.idp.asked for name, value in asked.headers.items()]
    assert [header for header in headers if header[1]] == [("authorization", {"the provider's token"})]
    assert user.headers["authorization"].startswith("Bearer ")
    assert {"authorization", "cookie", "referer"} & set(picture.headers) == set()
    assert seen_in(str([*window.headers.items(), *answer.headers.items()]), secrets) == set()
    assert seen_in(window.text, secrets) == set()
    assert seen_in("\n".join(map(told, caplog.records)), secrets) == set()


def told(record):
    """All that a record of the log holds, whoever formats it."""
    return f"{record.getMessage()} {record.args} {record.exc_info} {record.exc_text}"


async def test_the_way_back_is_kept_nowhere(client):
    """No cache keeps the address that has the code in it, and the next page is not told it."""
    for answer in (await client.get(WAY_BACK, state="s", code="c"), await client.post(WAY_BACK, form={"code": "c"})):
        assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")


FAULTS = {
    "the code is refused": {"refuse": lambda form: {"error": "no_" + SECRET, "error_description": str(form)}},
    "an answer that is none": {"alter_answer": lambda answer: answer | {"access_token": [answer["access_token"]]}},
    "no person": {"alter_user": lambda _: b"<html>"},
    "a person without an id": {"alter_user": lambda user: user | {"sub": ""}},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_refusals_tell_nothing(door, caplog, fault):
    """What goes wrong is told without what it went wrong with."""
    caplog.set_level(logging.DEBUG)
    vars(door.idp).update(FAULTS[fault])
    ticket = await door.ticket()
    answer = await door.submit(ticket)
    now = {"the client's secret": SECRET, "the verifier": ticket["codeVerifier"], "the code": ticket["code"]}
    now |= {f"token {n}": token for n, token in enumerate(door.idp.tokens)}

    assert answer.status == 400
    assert "OAuth2 provider oidc" in caplog.text
    assert seen_in(answer.text + str(answer.headers), now) == set()
    assert seen_in("\n".join(map(told, caplog.records)), now) == set()


async def test_a_broken_hook_tells_nothing(door, caplog):
    """The traceback of a hook that fails in the middle has no secret of the log-in in it."""
    caplog.set_level(logging.DEBUG)

    @door.client.app.on.record_auth_with_oauth2_request("users")
    async def fail(_):
        raise RuntimeError("at fault")

    ticket = await door.ticket()
    answer = await door.submit(ticket)
    now = {"the client's secret": SECRET, "the verifier": ticket["codeVerifier"], "the code": ticket["code"]}
    now |= {f"token {n}": token for n, token in enumerate(door.idp.tokens)}

    assert answer.status == 500
    assert "at fault" in caplog.text
    assert seen_in(answer.text + caplog.text, now) == set()


async def test_only_who_logs_in_is_told(door):
    """The provider's tokens are told once to who came with the code, and are kept nowhere: neither refresh nor links have them."""
    _, answer, secrets = await walk(door)
    record, token = answer.json["record"]["id"], answer.json["token"]
    again = await door.client.post(f"{USERS}/auth-refresh", {}, as_=token)
    links = await door.client.get("/api/collections/_externalAuths/records", as_=door.root)
    rows = await door.client.backend.engine.read('SELECT * FROM "_externalAuths"')

    assert again.status == 200
    assert "meta" not in again.json
    kept = f"{links.text} {rows} {await door.record(record)}"
    theirs = {name: value for name, value in secrets.items() if name != "our token"}
    assert seen_in(kept, theirs) == set()


async def test_the_way_there_holds_nothing_secret(door):
    """The address that the browser goes to has the hash of the verifier, not itself, and nothing of the client's but its name."""
    offer = await door.offer()
    asked = dict(parse_qsl(urlsplit(offer["authURL"]).query))

    assert seen_in(offer["authURL"], {"the verifier": offer["codeVerifier"], "the client's secret": SECRET}) == set()
    assert not {"client_secret", "code_verifier"} & set(asked)
