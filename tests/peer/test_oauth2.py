"""Logging in through each provider is as with the peer: what the provider is asked, and what becomes of its answers."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import pytest
from idp import running_idp
from said import EMAILS, PICTURE, SAID
from servers import Server, running

USERS = "/api/collections/users"
BACK = "http://app.example.com/back"
OURS_ALONE = {
    # Nothing says that the address is proven to be theirs.
    "microsoft": {"verified": False},
    "vk": {"verified": False},
}
READ_ELSEWHERE = ("planningcenter",)


@dataclass
class Pair:
    """Both servers, and the provider they know."""

    peer: Server
    ours: Server
    idp: object


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    with ExitStack() as stack:
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("UNDERCROFT_OUTGOING_NETWORKS", "127.0.0.0/8")
        programs = ("pocketbase", "undercroft")
        servers = [stack.enter_context(running(name, tmp_path_factory.mktemp(name))) for name in programs]
        for server in servers:
            fields = server.call("GET", USERS).json()["fields"]
            fields = [field | ({"required": False} if field["name"] == "email" else {}) for field in fields]
            mapped = {"id": "", "name": "name", "username": "", "avatarURL": ""}
            change(
                server, fields=fields, oauth2={"enabled": True, "mappedFields": mapped}, authAlert={"enabled": False}
            )
        yield Pair(*servers, stack.enter_context(running_idp()))


def change(server, **options):
    answer = server.call("PATCH", USERS, options)
    assert answer.status_code == 200, answer.text


def methods(server):
    return server.call("GET", f"{USERS}/auth-methods", caller="guest").json()


def settled(provider):
    """A way to a provider without what is new each time."""
    parts = urlsplit(provider["authURL"])
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    asked.pop("nonce", None)  # which the peer does not send
    new = {name: bool(asked.pop(name, "")) for name in ("state", "code_challenge")}
    shown = {"name", "displayName", "codeChallengeMethod"}
    lengths = {name: len(provider[name]) for name in ("state", "codeVerifier", "codeChallenge")}
    return parts[:3], asked, new, lengths, {name: provider[name] for name in shown}, sorted(provider)


def test_ways_to_all_providers(pair):
    """The same providers, in the same order, at the same places, asked for the same."""
    known = pair.peer.call("GET", "/api/collections/meta/oauth2-providers").json()
    names = [each["name"] for each in known]
    providers = [{"name": name, "clientId": "us", "clientSecret": "hush"} for name in names]
    shown = []
    for server in (pair.peer, pair.ours):
        change(server, oauth2={"providers": providers})
        told = methods(server)
        shown.append([settled(each) for each in told["oauth2"]["providers"]])
        assert [each["logo"] for each in told["authProviders"]] == [""] * len(names)
        assert told["oauth2"]["enabled"]

    assert len(names) == 32
    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    "extra", [{"pkce": False}, {"pkce": True}, {"displayName": "Ours"}, {"authURL": "https://id.example.com/a?b=c"}]
)
def test_ways_that_were_changed(pair, extra):
    """What a collection says goes over what is known."""
    shown = []
    for server in (pair.peer, pair.ours):
        change(
            server,
            oauth2={
                "providers": [
                    {"name": name, "clientId": "us", "clientSecret": "hush", **extra}
                    for name in ("google", "vk", "oidc")
                ]
            },
        )
        shown.append([settled(each) for each in methods(server)["oauth2"]["providers"]])

    assert shown[0] == shown[1]


@pytest.mark.parametrize("claim", ["", "email", "email_and_xms_edov", "verified_primary_email", "any_verified"])
def test_ways_to_microsoft(pair, claim):
    """The scope says whether a signed word is wanted."""
    shown = []
    for server in (pair.peer, pair.ours):
        provider = {
            "name": "microsoft",
            "clientId": "us",
            "clientSecret": "hush",
            "extra": {"idTokenEmailClaim": claim},
        }
        change(server, oauth2={"providers": [provider]})
        shown.append(settled(methods(server)["oauth2"]["providers"][0]))

    assert shown[0] == shown[1]


def come(pair, server, name):
    """What becomes of somebody who comes from a provider, and what that was asked."""
    idp = pair.idp
    idp.alter_user = lambda _: SAID[name]
    idp.alter_answer = lambda answer: answer | ({"email": "ada@example.com"} if name == "vk" else {})
    idp.files = {"/user/emails": (200, "application/json", json.dumps(EMAILS[name]).encode())} if name in EMAILS else {}
    change(server, oauth2={"providers": [idp.config(name)]})
    [way] = methods(server)["oauth2"]["providers"]
    idp.wants_pkce, idp.asked = bool(way["codeVerifier"]), []
    form = {
        "provider": name,
        "code": idp.authorize(way["authURL"] + BACK),
        "codeVerifier": way["codeVerifier"],
        "redirectURL": BACK,
    }
    answer = server.call("POST", f"{USERS}/auth-with-oauth2", form, "guest")
    told = answer.json()
    if answer.status_code == 200:
        server.call("DELETE", f"{USERS}/records/{told['record']['id']}")
        meta = {
            key: value for key, value in told["meta"].items() if key not in ("accessToken", "refreshToken", "expiry")
        }
        told = {"meta": meta, **{key: told["record"][key] for key in ("email", "verified", "name")}}
    return answer.status_code, told, [asked_for(each) for each in idp.asked]


def asked_for(asked):
    """A request without what is new each time, or what both may say as they like."""
    ours = ("authorization", "content-type", "notion-version", "client-id", "trakt-api-key", "trakt-api-version")
    headers = {name: asked.headers[name].partition(" ")[0] for name in ours if name in asked.headers}
    form = sorted(name for name, _ in parse_qsl(asked.body)) if not asked.body.startswith("{") else "GraphQL"
    return asked.method, asked.path, headers, form


@pytest.mark.parametrize("name", sorted(SAID))
def test_who_comes(pair, name):
    """Each provider is asked the same, and the same is read from what it answers."""
    theirs, ours = come(pair, pair.peer, name), come(pair, pair.ours, name)
    status, told, asked = theirs
    if name in READ_ELSEWHERE:
        assert (status, ours[0], ours[1]["meta"]["avatarURL"]) == (400, 200, PICTURE)
        return

    assert ours == (status, told | OURS_ALONE.get(name, {}), asked)
