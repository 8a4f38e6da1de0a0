"""Logging in through a provider: from its door to ours, with what is known of somebody there."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from door import BACK, PASSWORD, USERS
from idp import ADA, CLIENT, SECRET

from undercroft.auth.oauth2.authorize import nonce_of
from undercroft.auth.totp_codes import PERIOD, code_at
from undercroft.records.record import find_record

pytestmark = pytest.mark.anyio


async def test_a_new_account(door):
    """Who nobody here knows gets an account, verified as the provider verified it, and is told who the provider says they are."""
    answer = await door.come(picture="http://127.0.0.1:1/none.png")

    record, meta = answer.json["record"], answer.json["meta"]
    assert answer.status == 200, answer.text
    assert (record["email"], record["verified"], record["name"]) == ("ada@example.com", True, "Ada")
    assert await door.knows(answer.json["token"])
    assert await door.links(record["id"]) == [("oidc", "ada-1")]
    assert meta["rawUser"] == ADA | {"picture": "http://127.0.0.1:1/none.png"}
    known = {"id": "ada-1", "name": "Ada", "username": "ada", "email": "ada@example.com", "isNew": True}
    assert {name: meta[name] for name in known} == known
    assert meta["avatarURL"] == meta["avatarUrl"] == "http://127.0.0.1:1/none.png"
    assert meta["accessToken"] in door.idp.tokens
    assert meta["refreshToken"] == "r-" + meta["accessToken"]
    assert meta["expiry"] > record["created"]


async def test_the_same_account_again(door):
    """Who has come before is who they were, whatever the provider says of their address now."""
    first = await door.come()
    second = await door.come(email="lovelace@example.com")

    assert second.json["record"]["id"] == first.json["record"]["id"]
    assert second.json["record"]["email"] == "ada@example.com"
    assert second.json["meta"]["isNew"] is False
    assert await door.knows(first.json["token"])


async def test_what_the_provider_is_asked(door):
    """The code is exchanged under the client's name with the verifier, and the person asked for with the token alone."""
    ticket = await door.ticket()
    answer = await door.submit(ticket)
    exchange, user = door.idp.asked

    form = dict(parse_qsl(exchange.body))
    assert (exchange.method, exchange.path, user.method, user.path) == ("POST", "/token", "GET", "/user")
    assert form == {
        "grant_type": "authorization_code",
        "code": ticket["code"],
        "code_verifier": ticket["codeVerifier"],
        "redirect_uri": BACK,
    }
    assert exchange.headers["authorization"].startswith("Basic ")
    assert user.headers["authorization"] == f"Bearer {answer.json['meta']['accessToken']}"


async def test_a_provider_that_knows_no_header(door):
    """Where the client's secret is not taken from the header it is sent in the form."""
    door.idp.takes_header = False
    answer = await door.come()

    assert answer.status == 200
    form = dict(parse_qsl(door.idp.asked[1].body))
    assert (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)


async def test_the_way_to_a_provider(door):
    """Each way is new; it tells who asks, for what, and how to know again who comes back, and its end is open."""
    one, two = await door.offer(), await door.offer()
    asked = dict(parse_qsl(urlsplit(one["authURL"]).query))

    assert one["authURL"].endswith("&redirect_uri=")
    assert one["authUrl"] == one["authURL"]
    assert (len(one["state"]), len(one["codeVerifier"]), one["codeChallengeMethod"]) == (30, 43, "S256")
    assert not {one[name] for name in ("state", "codeVerifier", "codeChallenge")} & set(two.values())
    assert asked == {
        "client_id": CLIENT,
        "response_type": "code",
        "scope": "openid email profile",
        "state": one["state"],
        "code_challenge": one["codeChallenge"],
        "code_challenge_method": "S256",
    }
    assert one["codeVerifier"] not in one["authURL"]


async def test_the_way_to_a_provider_that_signs(door):
    """Where the signed word of a provider is taken it must tell of this very request."""
    await door.know(door.idp.signing(), door.idp.signing("oidc2", nonce=False))
    offer = await door.offer()
    asked = dict(parse_qsl(urlsplit(offer["authURL"]).query))

    assert asked["nonce"] == nonce_of(offer["codeVerifier"])
    assert "nonce=" not in (await door.offer("oidc2"))["authURL"]
    assert (await door.come()).status == 200


async def test_providers_are_offered_as_they_are_set(door):
    """In their order, with the names that were given; none while OAuth2 is off."""
    providers = [door.idp.config("oidc2", displayName="The office"), door.idp.config("google", pkce=False)]
    await door.know(*providers)
    methods = (await door.client.get(f"{USERS}/auth-methods")).json

    shown = [(each["name"], each["displayName"], bool(each["codeVerifier"])) for each in methods["oauth2"]["providers"]]
    assert shown == [("oidc2", "The office", True), ("google", "Google", False)]
    assert methods["oauth2"]["enabled"]
    assert [each["logo"] for each in methods["authProviders"]] == ["", ""]
    assert SECRET not in (await door.client.get(USERS, as_=door.root)).text
    await door.options(oauth2={"enabled": False})
    methods = (await door.client.get(f"{USERS}/auth-methods")).json
    assert (methods["oauth2"], methods["authProviders"]) == ({"providers": [], "enabled": False}, [])


async def test_a_kept_secret(door):
    """A provider that is saved again without its secret keeps it, and still works."""
    shown = (await door.client.get(USERS, as_=door.root)).json["oauth2"]
    assert "clientSecret" not in shown["providers"][0]
    await door.options(oauth2=shown)

    assert (await door.come()).status == 200


async def test_fields_are_filled(door):
    """What a provider knows goes into the fields that were named for it, unless something was submitted for them."""
    fields = [{"name": name, "type": "text"} for name in ("nick", "number", "picture")]
    await door.client.post(
        "/api/collections", {"name": "members", "type": "auth", "fields": fields, "createRule": ""}, as_=door.root
    )
    mapped = {"id": "number", "name": "nick", "username": "nick", "avatarURL": "picture"}
    options = {"oauth2": {"enabled": True, "providers": [door.idp.config()], "mappedFields": mapped}}
    await door.client.patch("/api/collections/members", options, as_=door.root)
    path = "/api/collections/members/auth-with-oauth2"

    one = await door.client.post(path, await door.ticket(picture="http://127.0.0.1:1/x.png"))
    two = await door.client.post(
        path, await door.ticket(sub="eve-1", email="eve@example.com") | {"createData": {"nick": "Evie", "number": "7"}}
    )

    shown = [{name: answer.json["record"][name] for name in ("nick", "number", "picture")} for answer in (one, two)]
    assert shown == [
        {"nick": "ada", "number": "ada-1", "picture": "http://127.0.0.1:1/x.png"},
        {"nick": "Evie", "number": "7", "picture": "http://127.0.0.1:1/x.png"},
    ]


async def test_a_name_that_is_taken(door):
    """A user name that somebody has, in any letter case, or that the field does not take, is left out."""
    await door.options(
        fields=[
            *(await door.client.get(USERS, as_=door.root)).json["fields"],
            {"name": "nick", "type": "text", "max": 5},
        ],
        indexes=[
            *(await door.client.get(USERS, as_=door.root)).json["indexes"],
            "CREATE UNIQUE INDEX one_nick ON users (nick COLLATE NOCASE) WHERE nick != ''",
        ],
    )
    await door.know(door.idp.config(), mappedFields={"username": "nick"})
    people = [{"preferred_username": nick} for nick in ("Ada", "ADA", "far too long")]
    answers = [await door.come(sub=f"s{n}", email=f"s{n}@example.com", **each) for n, each in enumerate(people)]

    assert [answer.json["record"]["nick"] for answer in answers] == ["Ada", "", ""]


async def test_create_data(door):
    """What is submitted for a new account is checked as for any other; a password may be among it."""
    secret = {"password": "better-horse-10", "passwordConfirm": "better-horse-10"}
    answer = await door.come(form={"createData": {"name": "Countess", "emailVisibility": True} | secret})

    assert (answer.json["record"]["name"], answer.json["record"]["emailVisibility"]) == ("Countess", True)
    assert (await door.log_in(password="better-horse-10")).status == 200


BAD_DATA = [
    ({"verified": True}, {"verified": "validation_values_mismatch"}),
    ({"password": "better-horse-10"}, {"passwordConfirm": "validation_required"}),
    ({"password": "short", "passwordConfirm": "short"}, {"password": "validation_min_text_constraint"}),
    ({"name": "x" * 300}, {"name": "validation_max_text_constraint"}),
    ({"id": "no id"}, {"id": "validation_min_text_constraint"}),
]


async def test_create_data_is_checked(door):
    """Values that nobody may set, or that do not fit, are refused, and nothing is made."""
    answers = [await door.come(form={"createData": data}) for data, _ in BAD_DATA]

    assert {(answer.status, answer.json["message"]) for answer in answers} == {(400, "Failed to create record.")}
    found = [{name: error["code"] for name, error in answer.json["data"].items()} for answer in answers]
    assert found == [codes for _, codes in BAD_DATA]
    assert await door.accounts() == []


async def test_create_data_cannot_choose_keys(door):
    """A token key that is submitted is not taken."""
    answer = await door.come(form={"createData": {"tokenKey": "k" * 50}})

    engine, users = door.client.backend.engine, door.client.backend.catalog.collection("users")
    record = await find_record(engine.read, engine.dialect, users, {"id": answer.json["record"]["id"]})
    assert answer.status == 200
    assert record["tokenKey"] not in {"", "k" * 50}


RULES = [
    *((None, 403), ("", 200), ("@request.context = 'oauth2'", 200), ("@request.context = 'default'", 400)),
    *(("@request.body.name = 'Ada'", 200), ("@request.auth.id != ''", 400), ("verified = true", 400)),
]


async def test_the_create_rule(door):
    """A new account is one that the create rule allows; nobody is verified by it."""
    found = []
    for n, (rule, _) in enumerate(RULES):
        await door.options(createRule=rule)
        found.append((await door.come(sub=f"s{n}", email=f"s{n}@example.com")).status)

    assert found == [status for _, status in RULES]
    assert len(await door.accounts()) == found.count(200)


async def test_the_auth_rule(door):
    """Whom the collection does not let in has an account, and no token."""
    await door.options(authRule="name = 'somebody else'")
    refused = await door.come()
    [account] = await door.accounts()
    await door.options(authRule="@request.context = 'oauth2'")

    assert (refused.status, refused.code, "token" in refused.json) == (403, "auth_rule_not_met", False)
    assert (await door.come()).json["record"]["id"] == account["id"]


async def test_as_one_of_two_factors(door):
    """Where two are asked for a provider is one of them, the first or the second, and never both."""
    account = await door.join(verified=True)
    await door.options(mfa={"enabled": True, "duration": 600})
    first = await door.come()
    assert (first.status, list(first.json)) == (401, ["mfaId"])

    again = await door.come(form={"mfaId": first.json["mfaId"]})
    body = {"identity": "ada@example.com", "password": PASSWORD, "mfaId": first.json["mfaId"]}
    second = await door.client.post(f"{USERS}/auth-with-password", body)
    other_way = await door.come(form={"mfaId": (await door.log_in()).json["mfaId"]})

    assert (again.status, again.code) == (400, "same_method")
    assert second.status == 200
    assert (other_way.status, other_way.json["record"]["id"], other_way.json["meta"]["isNew"]) == (200, account, False)


async def set_up_totp(door):
    """The seed of an authenticator app that the account of Ada's address is asked for codes of."""
    await door.options(totp={"enabled": True})
    token = await door.token()
    seed = (await door.client.post(f"{USERS}/request-totp", {}, as_=token)).json["secret"]
    code = code_at(seed, int(time.time()) // PERIOD)
    answer = await door.client.post(f"{USERS}/confirm-totp", {"code": code}, as_=token)
    assert answer.status == 200, answer.text
    await door.client.backend.engine.write(lambda tx: tx.run('UPDATE "_totp" SET "step" = 0'))
    return seed


async def test_with_an_authenticator_app(door):
    """Who has asked to be asked for codes is asked for one after a provider too."""
    account = await door.join(verified=True)
    seed = await set_up_totp(door)
    first = await door.come()
    code = code_at(seed, int(time.time()) // PERIOD)
    body = {"code": code, "mfaId": first.json["mfaId"]}
    second = await door.client.post(f"{USERS}/auth-with-totp", body)

    assert (first.status, first.json["methods"], "token" in first.json) == (401, ["totp"], False)
    assert (second.status, second.json["record"]["id"]) == (200, account)


async def test_with_somebody_elses_authenticator_app(door):
    """Nobody shuts out the owner of an address: before it is proven no app is set up."""
    account = await door.join()
    await door.options(totp={"enabled": True})
    refused = await door.client.post(f"{USERS}/request-totp", {}, as_=await door.token())
    answer = await door.come()

    assert (refused.status, refused.code) == (403, "address_not_verified")
    assert (answer.status, answer.json["record"]["id"]) == (200, account)


async def test_fields_and_expand(door):
    """The answer is picked from as any other."""
    ticket = await door.ticket()
    answer = await door.client.post(f"{USERS}/auth-with-oauth2?fields=record.id,meta.isNew", ticket)

    assert answer.json == {"record": {"id": answer.json["record"]["id"]}, "meta": {"isNew": True}}


FORMS = [
    ({}, {"provider": "validation_required", "code": "validation_required"}),
    ({"provider": "oidc"}, {"code": "validation_required"}),
    ({"provider": "google", "code": "c"}, {"provider": "validation_invalid_provider"}),
    ({"provider": "nope", "code": "c"}, {"provider": "validation_invalid_provider"}),
    ({"provider": "x" * 101, "code": "c"}, {"provider": "validation_length_too_long"}),
    ({"provider": "oidc", "code": "c", "createData": 5}, {}),
    ({"provider": "oidc", "code": ["c"]}, {}),
]


async def test_bad_forms(door):
    """What is no form is refused, and the provider hears nothing of it."""
    answers = [await door.submit(form) for form, _ in FORMS]

    said = "An error occurred while loading the submitted data."
    assert {(answer.status, answer.json["message"]) for answer in answers} == {(400, said)}
    found = [{name: error["code"] for name, error in answer.json["data"].items()} for answer in answers]
    assert found == [codes for _, codes in FORMS]
    assert door.idp.asked == []


async def test_off(door):
    """Where OAuth2 is off, and for superusers it always is, nobody comes in by it."""
    ticket = await door.ticket()
    await door.options(oauth2={"enabled": False})
    off = await door.submit(ticket)
    superusers = "/api/collections/_superusers"
    await door.client.patch(superusers, {"oauth2": {"enabled": True, "providers": [door.idp.config()]}}, as_=door.root)
    root = await door.client.post(f"{superusers}/auth-with-oauth2", ticket)
    nobody = await door.client.post("/api/collections/_otps/auth-with-oauth2", ticket)

    assert [(off.status, off.code), (root.status, root.code)] == [(403, "oauth2_off")] * 2
    assert (nobody.status, nobody.code) == (404, "not_an_auth_collection")
    assert door.idp.asked == []


async def test_twenty_at_once(door):
    """Of many who come for the first time at the same moment as one person all get in, to one account."""
    tickets = [await door.ticket() for _ in range(20)]
    answers = await asyncio.gather(*(door.submit(ticket) for ticket in tickets))

    assert {answer.status for answer in answers} == {200}, [answer.text for answer in answers if answer.status != 200]
    assert len({answer.json["record"]["id"] for answer in answers}) == 1
    assert sum(answer.json["meta"]["isNew"] for answer in answers) == 1
    assert len(await door.accounts()) == 1


async def test_twenty_without_an_address_at_once(door):
    """The same where nothing but the link is there to tell them apart."""
    fields = (await door.client.get(USERS, as_=door.root)).json["fields"]
    await door.options(fields=[field | ({"required": False} if field["name"] == "email" else {}) for field in fields])
    tickets = [await door.ticket(email_verified=False) for _ in range(20)]
    answers = await asyncio.gather(*(door.submit(ticket) for ticket in tickets))

    assert {answer.status for answer in answers} == {200}
    assert len(await door.accounts()) == 1
