"""Magic links: a way in by letter, good once, for a while, and not used up by who only looks."""

from __future__ import annotations

import os
import re

import pytest
from after_answers import all_letters_sent
from post_office import NEW, PASSWORD, USERS, at_once

pytestmark = pytest.mark.anyio
ROUNDS = int(os.environ.get("DRILL_ROUNDS", "3"))


@pytest.fixture
async def links(office):
    """A post office whose accounts log in by links."""
    await office.options(magicLink={"enabled": True})
    return office


async def link(links, email="ada@example.com"):
    """What is in a link that somebody asks for."""
    return await links.token("request-magic-link", email=email)


async def test_log_in(links):
    """The link of the letter logs in, once."""
    await links.join(verified=True)
    token = await link(links)

    answer = await links.ask("auth-with-magic-link", token=token)

    assert answer.status == 200
    assert await links.knows(answer.json["token"])
    assert (await links.ask("auth-with-magic-link", token=token)).code == "magic_link_refused"
    assert (await links.log_in()).status == 200


async def test_looking_uses_nothing_up(links):
    """Programs that open the pages of links before their readers do take nothing away."""
    await links.join(verified=True)
    letter = await links.letter("request-magic-link", email="ada@example.com")
    url = re.search(r"https://app\.example\.com(/\S*)", letter.body())[1]
    token = url.rpartition("/")[2]
    assert "#" in url

    for path, status in ((url.partition("#")[0], 200), (f"{USERS}/auth-with-magic-link?token={token}", 404)):
        for method in ("GET", "HEAD"):
            assert (await links.client.request(method, path)).status == status

    assert (await links.ask("auth-with-magic-link", token=token)).status == 200


async def test_proves_the_address(links):
    """Who comes by a link reads the mail: the account is verified, and a password set before is worth nothing."""
    account = await links.join()

    answer = await links.ask("auth-with-magic-link", token=await link(links))

    assert answer.json["record"]["verified"]
    assert await links.knows(answer.json["token"])
    assert (await links.record(account))["verified"]
    assert (await links.log_in()).status == 400


async def test_ends(links):
    """A link is none after its time, after a new password or address, without its account, for another collection."""
    client, engine = links.client, links.client.backend.engine
    await client.post(
        "/api/collections", {"name": "others", "type": "auth", "magicLink": {"enabled": True}}, as_=links.root
    )
    changes = {"new password": NEW, "new address": {"email": "ada@example.org"}}
    outcomes = {}
    for number, what in enumerate((*changes, "time", "delete", "elsewhere")):
        email = f"ada{number}@example.com"
        account = await links.join(email, verified=True)
        token, path = await link(links, email), f"{USERS}/records/{account}"
        if what in changes:
            await client.patch(path, changes[what], as_=links.root)
        elif what == "time":
            await engine.write(lambda tx: tx.run('UPDATE "_tickets" SET "until" = "until" - 901'))
        elif what == "delete":
            await client.delete(path, as_=links.root)
        users = "/api/collections/others" if what == "elsewhere" else USERS

        outcomes[what] = (await client.post(f"{users}/auth-with-magic-link", {"token": token})).code

    assert outcomes == dict.fromkeys(outcomes, "magic_link_refused")


async def test_nobody_is_told_apart(links):
    """For an address that nobody has the answer is the same, and no letter is sent."""
    await links.join()

    known, unknown = [
        [await links.ask("request-magic-link", email=email) for _ in range(7)]
        for email in ("ada@example.com", "who@example.com")
    ]

    assert {(answer.status, answer.body) for answer in known + unknown} == {(204, b"")}
    assert [dict(answer.headers).keys() for answer in known] == [dict(answer.headers).keys() for answer in unknown]
    await all_letters_sent(links.client.backend)
    assert [letter.recipients for letter in links.server.letters] == [["ada@example.com"]] * 5


async def test_second_factor(links):
    """A link is one factor, and a code by mail beside it is the same one; a password is another."""
    await links.options(otp={"enabled": True, "length": 8}, mfa={"enabled": True, "duration": 600})
    await links.join(verified=True)

    first = await links.ask("auth-with-magic-link", token=await link(links))
    same = await links.ask("auth-with-otp", mfaId=first.json["mfaId"], **await links.code())
    body = {"identity": "ada@example.com", "password": PASSWORD, "mfaId": first.json["mfaId"]}
    second = await links.client.post(f"{USERS}/auth-with-password", body)

    assert (first.status, same.code, second.status) == (401, "same_method", 200)


async def test_mail_alone_is_no_two_ways(links):
    """Two factors cannot be asked for where both would come by mail."""
    options = {"otp": {"enabled": True}, "passwordAuth": {"enabled": False}, "mfa": {"enabled": True}}

    answer = await links.client.patch(USERS, options, as_=links.root)

    assert answer.error.data["mfa"]["enabled"]["code"] == "validation_mfa_not_enough_auths"


async def test_auth_rule(links):
    """Whom the collection does not let in, a link does not let in."""
    await links.options(authRule='@request.context != "magicLink"')
    await links.join(verified=True)

    answer = await links.ask("auth-with-magic-link", token=await link(links))

    assert (answer.status, answer.code) == (403, "auth_rule_not_met")


async def test_letter_of_ones_own(links):
    """A collection may say what its letter says."""
    await links.options(magicLink={"emailTemplate": {"subject": "In", "body": "<p>{APP_URL}/in#{TOKEN}</p>"}})
    await links.join()

    letter = await links.letter("request-magic-link", email="ada@example.com")

    assert letter.message["Subject"] == "In"
    assert re.search(r"https://app\.example\.com/in#\w{43}", letter.body())


@pytest.mark.parametrize(
    ("option", "name"),
    [({"duration": 1}, "duration"), ({"emailTemplate": {"subject": "x", "body": ""}}, "emailTemplate")],
)
async def test_options_are_checked(links, option, name):
    """A link that counts for a second, or a letter without words, is refused."""
    answer = await links.client.patch(USERS, {"magicLink": option}, as_=links.root)

    assert list(answer.error.data["magicLink"]) == [name]


async def test_off(office):
    """Collections without links send none, and their methods say nothing of them."""
    for what in ("request-magic-link", "auth-with-magic-link"):
        assert (await office.ask(what, email="ada@example.com", token="x")).code == "magic_link_off"
    assert "magicLink" not in (await office.client.get(f"{USERS}/auth-methods")).json


async def test_bad_forms(links):
    """What is wrong with the form is said of each value; odd text is no link."""
    assert list((await links.ask("request-magic-link", email="nobody")).error.data) == ["email"]
    assert list((await links.ask("auth-with-magic-link")).error.data) == ["token"]
    for odd in ("\x00", "🔑", "' OR 1=1 --"):
        assert (await links.ask("auth-with-magic-link", token=odd)).code == "magic_link_refused"


async def test_twenty_at_once(links):
    """Of twenty who bring one link at the same moment one gets in, verified before or not."""
    for number in range(ROUNDS):
        email = f"ada{number}@example.com"
        await links.join(email, verified=bool(number % 2))
        token = await link(links, email)

        statuses = await at_once(
            20, lambda token=token: links.client.post(f"{USERS}/auth-with-magic-link", {"token": token})
        )

        assert statuses == [200] + [400] * 19
