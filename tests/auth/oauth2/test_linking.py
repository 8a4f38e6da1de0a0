"""Which account somebody is who comes from a provider: in every order of events, and never on the word of a stranger.

Eve is who wants into what will be Ada's. She knows Ada's address, and has accounts of her own at providers.
"""

from __future__ import annotations

import asyncio
import re

import pytest
from after_answers import all_letters_sent
from door import PASSWORD, USERS
from idp import ADA

from undercroft.auth.passkeys import Details, Passkey, add_passkey, list_passkeys
from undercroft.auth.sessions import Device, begin_session, find_session
from undercroft.query.scope import Identity
from undercroft.records.record import find_record

pytestmark = pytest.mark.anyio
EVE = {"sub": "eve-1", "email": "eve@example.com", "email_verified": True, "name": "Eve"}


@pytest.fixture
async def two(door):
    """A door with two providers, `oidc` and `oidc2`, at which people have different accounts."""
    await door.know(door.idp.config(), door.idp.config("oidc2"))
    return door


async def ada_comes(door, name="oidc", /, **person):
    """Ada comes by a provider that has verified her address."""
    return await door.come(name, **(ADA | person))


async def identity_of(door, record_id):
    collection = door.client.backend.catalog.collection("users")
    engine = door.client.backend.engine
    return Identity(collection, await find_record(engine.read, engine.dialect, collection, {"id": record_id}))


class Ways:
    """All the ways that Eve has made herself into an account, and which of them still lead there."""

    def __init__(self, door, account):
        self.door, self.account = door, account

    async def make(self):
        """By its password: a token, a session, a file token, a passkey, an open connection."""
        self.token = await self.door.token()
        identity = await identity_of(self.door, self.account)
        engine = self.door.client.backend.engine
        self.session = await begin_session(engine, identity, Device())
        self.file = (await self.door.client.post("/api/files/token", {}, as_=self.token)).json["token"]
        passkey = Passkey(
            "p1", identity.collection.id, identity.id, "cred", "handle", "key", "Eve's", Details(), 0, 1.0
        )
        await engine.write(lambda tx: add_passkey(tx, engine.dialect, identity, passkey))
        return self

    async def open(self):
        """The names of those that are open."""
        backend, identity = self.door.client.backend, await identity_of(self.door, self.account)
        links = [link for link in await self.door.links(self.account) if link[1].startswith("eve")]
        found = {
            "password": (await self.door.log_in()).status == 200,
            "token": await self.door.knows(self.token),
            "session": await find_session(backend, self.session) is not None,
            "passkey": bool(await list_passkeys(backend.engine.read, backend.engine.dialect, identity)),
            "link": bool(links),
        }
        return {name for name, is_open in found.items() if is_open}


async def test_eve_was_first_with_a_password(two):
    """Eve registers Ada's address; Ada comes by a provider: the account is Ada's, and every way of Eve's is shut."""
    account = await two.join()
    ways = await Ways(two, account).make()
    async with two.client.listen("users/*", as_=ways.token) as listener:
        answer = await ada_comes(two)
        async with asyncio.timeout(10):
            while not listener.is_over:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)
        assert await listener.events() == []

    assert (answer.json["record"]["id"], answer.json["record"]["verified"]) == (account, True)
    assert await ways.open() == set()
    assert await two.links(account) == [("oidc", "ada-1")]
    assert await two.knows(answer.json["token"])


async def test_eve_was_first_with_a_password_and_a_provider(two):
    """Eve links her own account at another provider besides: it is linked no more once Ada has come."""
    account = await two.join()
    ways = await Ways(two, account).make()
    assert (await two.come("oidc2", as_=ways.token, **EVE)).json["record"]["id"] == account
    assert await ways.open() == {"password", "token", "session", "passkey", "link"}
    await ada_comes(two)

    assert await ways.open() == set()
    assert await two.links(account) == [("oidc", "ada-1")]
    again = await two.come("oidc2", **EVE)
    assert again.json["record"]["id"] != account


async def test_eve_was_first_with_a_provider_and_adas_address(two):
    """Eve's provider verifies nothing, and she submits Ada's address: Ada finds an account that is hers alone."""
    eve = await two.come("oidc2", form={"createData": {"email": "ada@example.com"}}, **EVE | {"email_verified": False})
    account, token = eve.json["record"]["id"], eve.json["token"]
    assert (eve.json["record"]["email"], eve.json["record"]["verified"]) == ("ada@example.com", False)
    answer = await ada_comes(two)

    assert (answer.json["record"]["id"], answer.json["record"]["verified"]) == (account, True)
    assert await two.links(account) == [("oidc", "ada-1")]
    assert not await two.knows(token)
    again = await two.come("oidc2", **EVE | {"email_verified": False})
    assert (again.status, again.json["data"]["email"]["code"]) == (400, "validation_required")


async def test_eve_was_first_and_ada_verifies_by_letter(two):
    """Ada proves her address by a letter: whoever was linked before is linked no more, and their tokens end."""
    account = await two.join()
    ways = await Ways(two, account).make()
    await two.come("oidc2", as_=ways.token, **EVE)
    proof = await letter_token(two)
    assert (await two.client.post(f"{USERS}/confirm-verification", {"token": proof})).status == 204

    assert await ways.open() == {"password", "passkey"}
    assert await two.links(account) == []


async def letter_token(door):
    await door.client.post(f"{USERS}/request-verification", {"email": "ada@example.com"})
    letter = await door.client.letter("ada@example.com")
    return letter.get_body(("plain",)).get_content().partition("confirm-verification/")[2].split()[0]


async def test_eve_was_first_and_ada_logs_in_by_code(two):
    """Ada comes by a code that is sent to her address: every way of Eve's is shut."""
    await two.options(otp={"enabled": True, "duration": 180, "length": 8})
    account = await two.join()
    ways = await Ways(two, account).make()
    await two.come("oidc2", as_=ways.token, **EVE)
    asked = await two.client.post(f"{USERS}/request-otp", {"email": "ada@example.com"})
    code = re.search(r"\d{8}", (await two.client.letter("ada@example.com")).get_body(("plain",)).get_content())[0]
    answer = await two.client.post(f"{USERS}/auth-with-otp", {"otpId": asked.json["otpId"], "password": code})

    assert answer.status == 200
    assert await ways.open() == set()


async def test_a_superuser_verifies(two):
    """Who says that an address is proven ends the links that were there before."""
    account = await two.join()
    token = await two.token()
    await two.come("oidc2", as_=token, **EVE)
    await two.client.patch(f"{USERS}/records/{account}", {"verified": True}, as_=two.root)

    assert (await two.links(account), await two.knows(token)) == ([], False)
    assert (await two.log_in()).status == 200


async def test_other_changes_leave_links(two):
    """What does not prove an address leaves links and tokens as they are."""
    account = await two.join(verified=True)
    token = await two.token()
    await two.come("oidc2", as_=token, **EVE)
    for change in ({"verified": False}, {"name": "Ada"}):
        await two.client.patch(f"{USERS}/records/{account}", change, as_=two.root)

    assert (await two.links(account), await two.knows(token)) == ([("oidc2", "eve-1")], True)


async def test_ada_was_first_with_a_proven_address(two):
    """Ada's account is verified: she comes in by a provider too, and all that she had stays as it is."""
    account = await two.join(verified=True)
    ways = await Ways(two, account).make()
    answer = await ada_comes(two)

    assert (answer.json["record"]["id"], answer.json["meta"]["isNew"]) == (account, False)
    assert await ways.open() == {"password", "token", "session", "passkey"}
    assert await two.links(account) == [("oidc", "ada-1")]


async def test_ada_was_first_and_eve_claims_her_address(two):
    """Neither what a provider has not verified nor what is submitted gets Eve into Ada's account, verified or not."""
    account = await two.join(verified=True)
    unproven = EVE | {"email": "ada@example.com", "email_verified": False}
    claims = [
        await two.come("oidc2", **unproven),
        await two.come("oidc2", form={"createData": {"email": "ada@example.com"}}, **unproven),
        await two.come("oidc2", form={"createData": {"id": account}}, **EVE),
    ]
    await two.client.patch(f"{USERS}/records/{account}", {"verified": False}, as_=two.root)
    claims += [await two.come("oidc2", form={"createData": {"email": "ada@example.com"}}, **unproven)]

    assert [answer.status for answer in claims] == [400] * 4
    assert [list(answer.json["data"]) for answer in claims] == [["email"], ["email"], ["id"], ["email"]]
    assert [each["id"] for each in await two.accounts()] == [account]
    assert await two.links(account) == []


async def test_ada_was_first_with_a_provider(two):
    """Eve cannot register an address that came with a provider, nor take it over by another provider."""
    account = (await ada_comes(two)).json["record"]["id"]
    body = {"email": "ada@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}
    taken = await two.client.post(f"{USERS}/records", body)
    claim = await two.come("oidc2", **EVE | {"email": "ada@example.com", "email_verified": False})

    assert (taken.status, claim.status) == (400, 400)
    assert await two.links(account) == [("oidc", "ada-1")]


async def test_the_providers_address_wins(two):
    """Who submits another address than the provider has verified gets an account at the one that is theirs."""
    answer = await two.come("oidc2", form={"createData": {"email": "ada@example.com"}}, **EVE)

    assert (answer.json["record"]["email"], answer.json["record"]["verified"]) == ("eve@example.com", True)
    ada = await ada_comes(two)
    assert ada.json["record"]["id"] != answer.json["record"]["id"]
    assert (await ada_comes(two, "oidc2", sub="ada-2")).json["record"]["id"] == ada.json["record"]["id"]


async def test_another_address_waits_for_its_letter(two):
    """What was submitted beside the provider's address becomes the account's by the letter that goes there, not before."""
    answer = await two.come("oidc2", form={"createData": {"email": "eve@work.example"}}, **EVE)
    letter = (await two.client.letter("eve@work.example")).get_body(("plain",)).get_content()
    token = letter.partition("confirm-email-change/")[2].split()[0]
    account = answer.json["record"]["id"]
    assert answer.json["record"]["email"] == "eve@example.com"

    new = {"password": PASSWORD, "passwordConfirm": PASSWORD}
    path = f"{USERS}/records/{account}"
    refused = await two.client.post(f"{USERS}/confirm-email-change", {"token": token, "password": "not-it-at-all"})
    assert (refused.status, (await two.client.get(path, as_=two.root)).json["email"]) == (400, "eve@example.com")
    await two.client.patch(path, new, as_=two.root)
    late = await two.client.post(f"{USERS}/confirm-email-change", {"token": token, "password": PASSWORD})
    assert late.status == 400  # whoever got another password has other letters


async def test_an_address_that_is_taken_is_written_to_no_more(two):
    """Submitting somebody's address brings them no letter, and the account no error."""
    await two.join(verified=True)
    answer = await two.come("oidc2", form={"createData": {"email": "ada@example.com"}}, **EVE)

    assert answer.status == 200
    await all_letters_sent(two.client.backend)
    assert [str(letter["To"]) for letter in two.client.letters if "ada@" in str(letter["To"])] == []


async def test_signed_in(two):
    """Who is signed in links their account, whatever address they have there; verified it is only by the same one."""
    account = await two.join()
    token = await two.token()
    other = await two.come(as_=token, **EVE)
    same = await two.come("oidc2", as_=token, **ADA)

    shown = [(answer.json["record"]["id"], answer.json["record"]["verified"]) for answer in (other, same)]
    assert shown == [(account, False), (account, True)]
    assert await two.knows(same.json["token"])
    assert await two.links(account) == [("oidc2", "ada-1")]


async def test_signed_in_with_a_proven_address(two):
    """Two providers can be linked, one account of each."""
    account = await two.join(verified=True)
    token = await two.token()
    statuses = [(await two.come(name, as_=token, **EVE)).status for name in ("oidc", "oidc2")]
    second = await two.come(as_=token, **EVE | {"sub": "eve-2"})

    assert (statuses, second.status, second.json["message"]) == ([200, 200], 400, "Failed to authenticate.")
    codes = {name: error["code"] for name, error in second.json["data"].items()}
    assert codes == dict.fromkeys(("collectionRef", "recordRef", "provider"), "validation_not_unique")
    assert await two.links(account) == [("oidc", "eve-1"), ("oidc2", "eve-1")]


async def test_signed_in_is_told(two):
    """A new way in is told by letter to whose account it is, once."""
    await two.join(verified=True)
    await two.options(authAlert={"enabled": True})
    token = await two.token()
    for _ in range(2):
        assert (await two.come(as_=token, **EVE)).status == 200

    await all_letters_sent(two.client.backend)
    told = [letter.get_body().get_content() for letter in two.client.letters if "linked to oidc" in str(letter)]
    assert len(told) == 1


async def test_signed_in_as_somebody_else(two):
    """Who comes by a link is whom it is of, also when they are signed in as somebody else, or in another collection."""
    account = (await ada_comes(two)).json["record"]["id"]
    eve = await two.join("eve@example.com", verified=True)
    token = await two.token("eve@example.com")
    found = [(await two.come(as_=caller, **ADA)).json["record"]["id"] for caller in (token, two.root, "nonsense")]

    assert found == [account] * 3
    assert await two.links(eve) == []


async def test_a_link_is_its_accounts(two):
    """An account sees its links and nobody else's, and can end them; then it is no more who comes from there."""
    await two.join("eve@example.com", verified=True)
    eve = await two.token("eve@example.com")
    ada = await ada_comes(two)
    path, token = "/api/collections/_externalAuths/records", ada.json["token"]
    seen = [(await two.client.get(path, as_=caller)).json["totalItems"] for caller in (token, eve, "")]
    [link] = (await two.client.get(path, as_=token)).json["items"]
    by_eve = await two.client.delete(f"{path}/{link['id']}", as_=eve)
    made = await two.client.post(path, link | {"id": "", "providerId": "eve-1"}, as_=token)
    changed = await two.client.patch(f"{path}/{link['id']}", {"providerId": "eve-1"}, as_=token)
    ended = await two.client.delete(f"{path}/{link['id']}", as_=token)

    assert (seen, link["provider"], link["providerId"]) == ([1, 0, 0], "oidc", "ada-1")
    assert [by_eve.status, made.status, changed.status, ended.status] == [404, 403, 403, 204]
    await two.client.patch(f"{USERS}/records/{ada.json['record']['id']}", {"email": "new@example.com"}, as_=two.root)
    assert (await ada_comes(two)).json["record"]["id"] != ada.json["record"]["id"]


async def test_links_go_with_their_account(two):
    """Who comes to an account that was deleted gets a new one."""
    account = (await ada_comes(two)).json["record"]["id"]
    await two.client.delete(f"{USERS}/records/{account}", as_=two.root)

    again = await ada_comes(two)
    assert (again.json["meta"]["isNew"], again.json["record"]["id"] != account) == (True, True)


async def test_an_address_that_was_missing(two):
    """An account without an address gets the one that a provider has verified, unless somebody has it."""
    fields = (await two.client.get(USERS, as_=two.root)).json["fields"]
    await two.options(fields=[field | ({"required": False} if field["name"] == "email" else {}) for field in fields])
    unproven = {"email_verified": False}
    ada, eve = await ada_comes(two, **unproven), await two.come(**EVE | unproven)
    assert [each.json["record"]["email"] for each in (ada, eve)] == ["", ""]
    shown = [await ada_comes(two), await two.come(**EVE | {"email": "ada@example.com"})]

    assert [each.json["record"]["email"] for each in shown] == ["ada@example.com", ""]
    assert [each.json["record"]["id"] for each in shown] == [each.json["record"]["id"] for each in (ada, eve)]


async def test_collections_do_not_share_links(two):
    """The same somebody is another account in another collection."""
    await two.client.post("/api/collections", {"name": "members", "type": "auth", "createRule": ""}, as_=two.root)
    options = {"oauth2": {"enabled": True, "providers": [two.idp.config()]}}
    await two.client.patch("/api/collections/members", options, as_=two.root)
    first = await ada_comes(two)
    path = "/api/collections/members/auth-with-oauth2"
    second = await two.client.post(path, await two.ticket(**ADA), as_=first.json["token"])

    assert (second.json["meta"]["isNew"], second.json["record"]["collectionName"]) == (True, "members")


SAID = {
    "true": (True, True),
    "the word true": ("true", True),
    "false": (False, False),
    "the word false": ("false", False),
    "null": (None, False),
    "missing": (..., False),
    "one": (1, False),
    "the number one as a word": ("1", False),
    "yes": ("yes", False),
    "an empty text": ("", False),
    "a list": ([True], False),
    "an object": ({"true": True}, False),
}


@pytest.mark.parametrize("signs", [False, True], ids=["told", "signed"])
async def test_only_a_plain_yes_verifies(door, signs):
    """What a provider says of an address counts when it is a plain yes: else it is no address, and finds no account."""
    await door.know(door.idp.signing() if signs else door.idp.config())
    found, accounts = {}, {}
    for n, (name, (said, _)) in enumerate(SAID.items()):
        accounts[name] = await door.join(f"a{n}@example.com", verified=True)
        door.idp.person = {"sub": f"s{n}", "email": f"a{n}@example.com"} | (
            {} if said is ... else {"email_verified": said}
        )
        answer = await door.come()
        found[name] = answer.status == 200 and answer.json["record"]["id"] == accounts[name]
        assert found[name] or (answer.status, list(answer.json["data"])) == (400, ["email"]), name

    assert found == {name: wanted for name, (_, wanted) in SAID.items()}
    assert len(await door.accounts()) == len(SAID)
