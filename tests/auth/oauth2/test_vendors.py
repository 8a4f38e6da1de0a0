"""The providers as data: all of them, at their own addresses, and read no better than they speak."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from door import BACK
from idp import ADA, KEY
from joserfc.jwk import KeySet
from said import EMAIL, EMAILS, ENDED, PICTURE, SAID, UNVERIFIED

from undercroft.auth.oauth2.authorize import make_offer
from undercroft.auth.oauth2.exchange import Grant
from undercroft.auth.oauth2.person import Answers, read_person
from undercroft.auth.oauth2.provider import set_up
from undercroft.auth.oauth2.vendor import find, holds, read_text
from undercroft.auth.oauth2.vendors import VENDORS
from undercroft.collections.options import OAuth2Provider
from undercroft.collections.providers import PROVIDERS

pytestmark = pytest.mark.anyio
NOTHING = Grant("", "", "", "", {})
WITHOUT_ADDRESS = {"instagram2", "lark", "spotify", "trakt", "strava", "planningcenter", "oidc3"}
NOT_PROVEN = {"microsoft", "vk"}
TENANT = "6babcaad-604b-40ac-a9d7-9fd97c0b779f"
MICROSOFT = "https://login.microsoftonline.com"


def provider(name="oidc", **options):
    return set_up(OAuth2Provider(name=name, client_id="us", client_secret="hush", **options))


def person(name, said=None, emails=None, **options):
    user = SAID[name] if said is None else said
    grant = Grant("", "", "", "", {"email": EMAIL}) if name == "vk" else NOTHING
    return read_person(
        provider(name, **options), grant, Answers(user, {}, EMAILS.get(name) if emails is None else emails)
    )


def test_all_are_there():
    """Each provider that a collection may name is known."""
    assert list(VENDORS) == list(PROVIDERS)
    assert len(VENDORS) == 32


def test_addresses_are_their_own():
    """Each is asked over TLS; those that anybody may run are asked where the collection says."""
    urls = {name: (each.auth_url, each.token_url, each.user_url) for name, each in VENDORS.items()}
    unknown = {name for name, each in urls.items() if not each[0]}

    assert unknown == {"mailcow", "oidc", "oidc2", "oidc3"}
    assert {urlsplit(url).scheme for each in urls.values() for url in each if url} == {"https"}


@pytest.mark.parametrize("name", SAID)
def test_who_it_is(name):
    """Everybody is known by an id, and by an address only where there is one that is proven."""
    found = person(name)

    assert found.id
    assert bool(found.email) == (name not in WITHOUT_ADDRESS)
    assert bool(found.proven_email) == (name not in WITHOUT_ADDRESS | NOT_PROVEN)
    assert found.email in {"", EMAIL}
    assert found.avatar_url == "" or found.avatar_url.startswith("https://")


@pytest.mark.parametrize("name", UNVERIFIED)
def test_addresses_that_are_not_verified(name):
    """Who is told to be unverified has no address."""
    changed, emails = UNVERIFIED[name]
    found = person(name, SAID[name] | changed, emails)

    assert (bool(found.id), found.email, found.proven_email) == (True, "", "")


@pytest.mark.parametrize("name", ENDED)
def test_accounts_that_are_in_use_no_more(name):
    """Nobody comes by an account that has ended there, or of which it is not said that it has not."""
    assert person(name, SAID[name] | ENDED[name]) is None
    assert person(name, {"id": "x"}) is None


def test_pictures():
    """Who has none, or shows it to nobody, has none here."""
    discord = SAID["discord"] | {"avatar": None}
    yandex = [SAID["yandex"] | {"is_avatar_empty": True}, SAID["yandex"] | {"default_avatar_id": ""}]
    wakatime = {"data": SAID["wakatime"]["data"] | {"photo_public": False}}

    assert person("discord").avatar_url == "https://cdn.discordapp.com/avatars/d1/a1.png"
    assert person("yandex").avatar_url == "https://avatars.yandex.net/get-yapic/1/a/islands-200"
    assert person("wakatime").avatar_url == PICTURE
    none = [person("discord", discord), *(person("yandex", each) for each in yandex), person("wakatime", wakatime)]
    assert [each.avatar_url for each in none] == [""] * 4


def test_names():
    """A name may be made of parts, or be what else somebody is called; a mailbox is no user name."""
    assert person("vk").name == "Ada Lovelace"
    assert person("strava", SAID["strava"] | {"lastname": None}).name == "Ada"
    assert person("discord", SAID["discord"] | {"global_name": None}).name == "ada"
    assert person("mailcow").username == "ada"


@pytest.mark.parametrize(
    ("answer", "path", "value"),
    [
        ({"a": {"b": 1}}, "a.b", 1),
        ({"a": [{"b": 1}]}, "a.0.b", 1),
        ({"a": []}, "a.0.b", None),
        ({"a": "text"}, "a.0", None),
        ({"a": [1]}, "a.-1", None),
        ([1], "a", None),
        (None, "a", None),
        (5, "", 5),
    ],
)
def test_paths(answer, path, value):
    """A path leads to what is there, or nowhere."""
    assert find(answer, path) == value


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), (5, "5"), (0, ""), (-5, ""), (True, ""), (1.5, ""), (None, ""), ([], ""), ({}, "")]
)
def test_texts(value, text):
    """Texts and whole numbers are texts; nothing else is."""
    assert read_text({"a": value}, "a") == text


@pytest.mark.parametrize(
    ("needs", "answer"),
    [
        ("a", {"a": True}),
        ("a", {"a": "true"}),
        ("!a", {"a": False}),
        ("!a", {}),
        ("?a", {"a": "x"}),
        ("a=x", {"a": "x"}),
        ("a=1", {"a": 1}),
        ("a~x", {"a": ["y", "x"]}),
    ],
)
def test_needs(needs, answer):
    """What must hold, and does."""
    assert holds(answer, (needs,))


@pytest.mark.parametrize(
    ("needs", "answer"),
    [
        *(("a", {"a": value}) for value in (False, "false", 1, "1", "yes", None, [True], {"a": True}, "")),
        *(("!a", {"a": value}) for value in (True, "true")),
        *(("?a", {"a": value}) for value in ("", None, False, [], 0)),
        *(("a=x", {"a": value}) for value in ("y", None, ["x"])),
        *(("a=1", {"a": value}) for value in (True, 2, 1.0)),
        *(("a~x", {"a": value}) for value in ("x", ["y"], None, {"x": 1})),
    ],
)
def test_needs_that_are_not_met(needs, answer):
    """What must hold, and does not."""
    assert not holds(answer, (needs,))


def microsoft(claim="", tenant="common", **options):
    urls = {
        "auth_url": f"{MICROSOFT}/{tenant}/oauth2/v2.0/authorize",
        "token_url": f"{MICROSOFT}/{tenant}/oauth2/v2.0/token",
    }
    return provider("microsoft", **urls | options, extra={"idTokenEmailClaim": claim})


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers", "COMMON", ""])
def test_any_directory(tenant):
    """An address of any directory at all is not known to be proven; one of the operator's own is."""
    one_sided = microsoft(tenant=TENANT, token_url="")

    assert not microsoft(tenant=tenant).vendor.trusts_email
    assert not one_sided.vendor.trusts_email
    assert microsoft(tenant=TENANT).vendor.trusts_email
    assert microsoft(tenant="contoso.onmicrosoft.com").vendor.trusts_email


CLAIMS = [
    ("email", {"email": EMAIL}, EMAIL),
    ("email", {"mail": EMAIL}, ""),
    ("email_and_xms_edov", {"email": EMAIL, "xms_edov": True}, EMAIL),
    ("email_and_xms_edov", {"email": EMAIL, "xms_edov": "1"}, EMAIL),
    ("email_and_xms_edov", {"email": EMAIL, "xms_edov": 1}, EMAIL),
    ("email_and_xms_edov", {"email": EMAIL, "xms_edov": False}, ""),
    ("email_and_xms_edov", {"email": EMAIL}, ""),
    ("verified_primary_email", {"verified_primary_email": [EMAIL, "b@example.com"], "email": "c@example.com"}, EMAIL),
    ("verified_primary_email", {"email": EMAIL, "xms_edov": True}, ""),
    ("any_verified", {"email": EMAIL, "xms_edov": True}, EMAIL),
    ("any_verified", {"verified_primary_email": [EMAIL]}, EMAIL),
    ("any_verified", {"email": EMAIL, "verified_primary_email": []}, ""),
    ("nonsense", {"email": EMAIL, "xms_edov": True}, ""),
]


@pytest.mark.parametrize(("claim", "claims", "email"), CLAIMS)
def test_claims_of_microsoft(claim, claims, email):
    """The address is in the claim that was chosen, and nowhere else."""
    found = read_person(microsoft(claim), NOTHING, Answers(SAID["microsoft"], claims))

    assert (found.email, found.proven_email) == (email, email)


def test_issuers_of_microsoft():
    """The signed word must be of the operator's own directory, if one is asked."""
    assert microsoft("email", TENANT).id_token.issuers == (f"{MICROSOFT}/{TENANT}/v2.0",)
    assert microsoft("email").id_token.issuers == (MICROSOFT + "/{tid}/v2.0",)
    assert "openid" in make_offer(microsoft("email")).url
    assert microsoft().id_token is None


def test_secrets_are_not_shown():
    """What a provider is set up with, or gives, is not in what a log would say of it."""
    shown = repr((provider(), Grant("token", "refresh", "", "signed", {"a": "token"})))

    assert not [secret for secret in ("hush", "token'", "refresh'", "signed") if secret in shown]


async def test_microsoft_through_the_door(door):
    """Asked for all directories, an address makes an account that is not verified, and finds none that is there."""
    door.idp.alter_user = lambda _: SAID["microsoft"]
    door.idp.wants_pkce = True
    await door.know(door.idp.config("microsoft"))
    first = await door.come("microsoft")
    again = await door.come("microsoft")
    assert [each.json["record"]["verified"] for each in (first, again)] == [False, False]
    assert await door.knows(first.json["token"])
    await door.client.delete(f"/api/collections/users/records/{first.json['record']['id']}", as_=door.root)
    account = await door.join(verified=True)
    claim = await door.come("microsoft")

    assert (claim.status, list(claim.json["data"])) == (400, ["email"])
    assert await door.links(account) == []


async def test_microsoft_with_a_claim(door):
    """With a claim that Microsoft has checked the address finds the account."""
    account = await door.join(verified=True)
    door.idp.alter_user = lambda _: SAID["microsoft"]
    door.idp.alter_claims = lambda claims: claims | {"xms_edov": True, "tid": TENANT, "iss": f"{door.idp.url}/{TENANT}"}
    pinned = {"jwksURL": f"{door.idp.url}/jwks", "issuers": [door.idp.url + "/{tid}"]}
    config = door.idp.config("microsoft", extra=pinned | {"idTokenEmailClaim": "email_and_xms_edov"})
    await door.know(config)
    answer = await door.come("microsoft", **ADA)

    assert answer.json["record"]["id"] == account
    assert answer.json["meta"]["id"] == "m1"


async def test_apple_through_the_door(door):
    """Apple has nothing to ask, only its signed word, with a nonce where it knows one."""
    door.idp.keys = KeySet([KEY])
    await door.know(door.idp.signing("apple"))
    person = {"sub": "a-1", "email": "ada@example.com", "email_verified": "true", "is_private_email": "true"}
    door.idp.person = {}
    answer = await door.come("apple", **person)
    door.idp.alter_claims = lambda claims: {k: v for k, v in claims.items() if k != "nonce"} | {"nonce_supported": True}

    assert (answer.status, answer.json["meta"]["id"], answer.json["record"]["verified"]) == (200, "a-1", True)
    assert (await door.come("apple", **person)).status == 400


@pytest.mark.parametrize("name", ["github", "gitea", "bitbucket", "gitee"])
async def test_addresses_are_asked_for(door, name):
    """A provider that tells of addresses apart is asked for them, and one that may not tell has none."""
    path = "/emails" if name == "gitee" else "/user/emails"
    said = SAID[name] | ({"email": ""} if name == "gitee" else {})
    listed = EMAILS.get(name, [{"email": EMAIL, "state": "confirmed", "scope": ["primary"]}])
    door.idp.alter_user = lambda _: said
    await door.know(door.idp.config(name, pkce=True))
    found = []
    for number, content in (
        (200, json.dumps(listed)),
        (403, "{}"),
        (200, '{"message": "none"}'),
        (200, "<html>"),
        (500, ""),
    ):
        door.idp.files = {path: (number, "application/json", content.encode())}
        answer = await door.come(name)
        found.append((answer.status, answer.json.get("meta", {}).get("email")))

    assert found == [(200, EMAIL), (200, ""), (200, ""), (200, ""), (400, None)]
    assert BACK.startswith("http")
