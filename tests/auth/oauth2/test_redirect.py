"""The way back from a provider: the page that waits is told once, and the window goes where we send it."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from door import BACK, USERS
from idp import RefusedError

from undercroft.app import App
from undercroft.testing import TestClient

pytestmark = pytest.mark.anyio
PATH = "/api/oauth2-redirect"
DONE, FAILED = "../_/#/auth/oauth2-redirect-success", "../_/#/auth/oauth2-redirect-failure"


async def back(client, method="GET", **told):
    """Where the window is sent that comes back with that."""
    answer = await (client.get(PATH, **told) if method == "GET" else client.post(PATH, form=told))
    assert answer.status == (307 if method == "GET" else 303)
    return answer.headers["location"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_page_is_told_once(client, method):
    """The page that waits is told what the provider says, and the same state is good for nothing afterwards."""
    async with client.listen("@oauth2") as listener:
        sent = [await back(client, method, state=listener.client_id, code="c") for _ in range(2)]
        event = await listener.event()
        more = await listener.events()

    assert sent == [DONE, FAILED]
    assert (event.name, event.json, more) == ("@oauth2", {"state": listener.client_id, "code": "c"}, [])


async def test_what_went_wrong_is_told(client):
    """Who says no, or brings no code, has failed, and the page is told why."""
    told = []
    async with client.listen() as listener:
        for said in ({"error": "access_denied"}, {"error": "x", "code": "c"}, {}):
            await listener.subscribe("@oauth2")
            assert await back(client, state=listener.client_id, **said) == FAILED
            told.append((await listener.event()).json)

    known = {"state": listener.client_id, "code": ""}
    assert told == [known | {"error": "access_denied"}, known | {"error": "x", "code": "c"}, known]


async def test_twenty_at_once(client):
    """Of many who come with one state at the same moment one is heard."""
    async with client.listen("@oauth2") as listener:
        sent = await asyncio.gather(*(back(client, state=listener.client_id, code=str(n)) for n in range(20)))
        events = await listener.events()

    assert sorted(sent) == [FAILED] * 19 + [DONE]
    assert len(events) == 1


async def test_states_of_nobody(client):
    """Without a state, with one that nobody waits under, or from another address, nobody is told anything."""
    root = await client.superuser()
    await client.patch("/api/settings", {"trustedProxy": {"headers": ["x-real-ip"]}}, as_=root)
    async with client.listen("notes/*") as other, client.listen("@oauth2") as listener:
        states = (None, "", "nobody", "x" * 40, "x" * 100_000, other.client_id, listener.client_id[:-1], "\0", "*")
        sent = [await back(client, code="c", **({} if state is None else {"state": state})) for state in states]
        elsewhere = await client.get(PATH, state=listener.client_id, code="c", headers={"x-real-ip": "203.0.113.9"})
        too_long = await back(client, state=listener.client_id, code="c" * 9000)
        head = await client.request("HEAD", PATH, state=listener.client_id, code="c")
        heard = [*await listener.events(), *await other.events()]
        in_the_end = await back(client, state=listener.client_id, code="c")

    assert [*sent, elsewhere.headers["location"], too_long, head.headers["location"]] == [FAILED] * (len(states) + 3)
    assert (heard, in_the_end) == ([], DONE)


async def test_forms_that_are_none(client):
    """What cannot be read is no way back."""
    bodies = (b"{", b"[]", b"\xff\xfe", b'{"state": 5, "code": ["c"]}', b"x" * 100_000)
    answers = [await client.post(PATH, body=body, headers={"content-type": "application/json"}) for body in bodies]
    answers.append(await client.post(PATH, body=b"state=x", headers={"content-type": "text/plain"}))

    assert {(answer.status, answer.headers["location"]) for answer in answers} == {(303, FAILED)}


async def test_a_name_that_is_told_once(door):
    """Apple tells a name by the form, at the first time: it comes along with the code, and is the account's."""
    await door.know(door.idp.signing("apple"), mappedFields={"name": "name"})
    person = {"sub": "ada-1", "email": "ada@example.com", "email_verified": "true"}
    door.idp.person, offer = person, await door.offer("apple")
    asked = dict(parse_qsl(urlsplit(offer["authURL"]).query))
    code = door.idp.authorize(offer["authURL"] + BACK)
    async with door.client.listen("@oauth2") as listener:
        user = '{"name": {"firstName": "Ada", "lastName": "Lövelace"}, "email": "eve@example.com"}'
        assert await back(door.client, "POST", state=listener.client_id, code=code, user=user) == DONE
        told = (await listener.event()).json["code"]
    form = {"provider": "apple", "code": told, "codeVerifier": offer["codeVerifier"], "redirectURL": BACK}
    answer = await door.submit(form)

    assert (asked["response_mode"], asked["scope"]) == ("form_post", "name email")
    assert (answer.json["record"]["name"], answer.json["record"]["email"]) == ("Ada Lövelace", "ada@example.com")
    assert door.idp.codes[code].is_used


NAMES = {
    '{"name": {"firstName": "Ada"}}': "Ada",
    '{"name": {"lastName": 5, "firstName": "Ada"}}': "Ada",
    '{"name": {"firstName": "' + "x" * 500 + '"}}': "x" * 150,
    '{"name": "Ada"}': "",
    "{}": "",
    "[]": "",
    "{": "",
    "[" * 10_000: "",
}


async def test_names_that_are_none(door):
    """What is no name is left out, and what is too long is cut; the code is good all the same."""
    fields = [*(await door.client.get(USERS, as_=door.root)).json["fields"], {"name": "note", "type": "text"}]
    await door.options(fields=fields)
    await door.know(door.idp.signing("apple"), mappedFields={"name": "note"})
    found = []
    for n, user in enumerate(NAMES):
        door.idp.person = {"sub": f"s{n}", "email": f"s{n}@example.com", "email_verified": True}
        offer = await door.offer("apple")
        code = door.idp.authorize(offer["authURL"] + BACK)
        async with door.client.listen("@oauth2") as listener:
            await back(door.client, "POST", state=listener.client_id, code=code, user=user)
            told = (await listener.event()).json["code"]
        form = {"provider": "apple", "code": told, "codeVerifier": offer["codeVerifier"], "redirectURL": BACK}
        found.append((await door.submit(form)).json["record"]["note"])

    assert found == list(NAMES.values())


TRICKS = [
    *(
        "//evil.example.com",
        "/\\evil.example.com",
        "\\\\evil.example.com",
        "https://evil.example.com",
        "https:evil.example.com",
    ),
    *(
        "///evil.example.com",
        "/%2f%2fevil.example.com",
        "%2f%2fevil.example.com",
        "/.evil.example.com",
        "//evil.example.com/%2e%2e",
    ),
    *("\r\nLocation: https://evil.example.com", "%0d%0aLocation:%20https://evil.example.com", "\tjavascript:alert(1)"),
    *(
        "javascript:alert(1)",
        "data:text/html,<script>",
        "//evil.example.com@app.example.com",
        "//app.example.com:80@evil.example.com",
    ),
    *(
        "http://[::1]/",
        "//evil%E3%80%82example.com",
        "?next=//evil.example.com",
        "#//evil.example.com",
        "..//evil.example.com",
    ),
]
NAMES_OF_WAYS = (
    "next",
    "redirect",
    "redirect_uri",
    "redirectURL",
    "returnTo",
    "url",
    "continue",
    "code",
    "error",
    "state",
)


async def test_the_window_goes_nowhere_else(client):
    """Nothing that is put into the address sends the window to anybody else."""
    assert len(TRICKS) >= 20
    places = set()
    async with client.listen() as listener:
        for trick in TRICKS:
            await listener.subscribe("@oauth2")
            said = dict.fromkeys(NAMES_OF_WAYS, trick) | {"state": listener.client_id}
            places.add(await back(client, **said))
            places.add(await back(client, "POST", **said))

    assert places <= {DONE, FAILED}
    assert {urlsplit(urljoin(f"https://app.example.com{PATH}", place)).netloc for place in places} == {
        "app.example.com"
    }


PATHS = [
    *(
        "//evil.example.com/..//api/oauth2-redirect",
        "//evil.example.com//",
        "/\\evil.example.com//",
        "//evil.example.com/%2e%2e//",
    ),
    *(
        "/%5cevil.example.com//",
        "/api//..//evil.example.com",
        "/.//evil.example.com",
        "//evil.example.com/./",
        "///evil.example.com//",
    ),
    *("/%2f/evil.example.com//x", "//%65vil.example.com//", "/api/../..//evil.example.com", "/%0d%0aLocation:%20x//"),
]


async def test_cleaned_paths_lead_nowhere_else(client):
    """A path that is answered by its clean form leads to a path of this server."""
    places = []
    for path in PATHS:
        scope_path = path.replace("%5c", "\\")
        answer = await client.get(scope_path, state="x")
        if "location" in answer.headers:
            places.append(answer.headers["location"])

    assert places
    found = {urlsplit(urljoin("https://app.example.com/x", place)).netloc for place in places}
    assert found == {"app.example.com"}, places
    assert not [place for place in places if place.startswith(("//", "/\\")) or "\r" in place or "\n" in place]


async def test_codes_that_do_not_fit(door):
    """A code counts once, with its own verifier, for its own way back, at its own provider."""
    await door.know(door.idp.config(), door.idp.config("oidc2", clientId="another-client"))
    good, other = await door.ticket(), await door.offer()
    wrong = [
        good | {"codeVerifier": other["codeVerifier"]},
        (await door.ticket()) | {"codeVerifier": ""},
        (await door.ticket()) | {"redirectURL": "http://evil.example.com/back"},
        (await door.ticket()) | {"redirectURL": BACK + "/"},
        (await door.ticket()) | {"redirectURL": ""},
        (await door.ticket()) | {"provider": "oidc2"},
        good | {"code": "made-up"},
    ]
    refused = [await door.submit(form) for form in wrong]
    form = await door.ticket()
    twice = [await door.submit(form) for _ in range(2)]

    assert {(answer.status, answer.code) for answer in refused} == {(400, "oauth2_code_refused")}
    assert [answer.status for answer in twice] == [200, 400]
    assert len(await door.accounts()) == 1


async def test_no_verifier_is_not_even_tried(door):
    """A provider that forgets to ask for the proof does not help who has caught a code: we ask for it."""
    door.idp.wants_pkce = False
    ticket = await door.ticket()
    door.idp.codes[ticket["code"]].challenge = ""
    answer = await door.submit(ticket | {"codeVerifier": ""})

    assert (answer.status, answer.code, door.idp.asked) == (400, "oauth2_code_refused", [])
    assert (await door.submit(ticket)).status == 200


async def test_one_code_at_once(door):
    """Of many who bring one code at the same moment one gets in."""
    ticket = await door.ticket()
    answers = await asyncio.gather(*(door.submit(ticket) for _ in range(10)))

    assert sorted(answer.status for answer in answers) == [200] + [400] * 9


async def test_the_provider_knows_the_way_back(door):
    """A strict provider sends nobody anywhere else than where it was told beforehand that we are."""
    offer = await door.offer()
    for place in (
        "http://evil.example.com/back",
        BACK + "?x",
        BACK + "/",
        "http://app.example.com.evil.example.com/back",
    ):
        with pytest.raises(RefusedError):
            door.idp.authorize(offer["authURL"] + place)


SPOOFED = {
    "host": "evil.example.com",
    "x-forwarded-host": "evil.example.com",
    "x-forwarded-proto": "javascript",
    "x-forwarded-prefix": "//evil.example.com",
    "x-original-url": "//evil.example.com",
    "x-rewrite-url": "//evil.example.com",
    "forwarded": "host=evil.example.com;proto=https",
    "referer": "https://evil.example.com/",
    "origin": "https://evil.example.com",
}


async def test_headers_that_claim_to_be_us(door):
    """No header changes where somebody is sent, to a provider or back from it."""
    usual = (await door.offer())["authURL"].partition("?")[0]
    found = set()
    for name, value in SPOOFED.items():
        methods = await door.client.get(f"{USERS}/auth-methods", headers={name: value})
        [offer] = methods.json["oauth2"]["providers"]
        returned = await door.client.get(PATH, state="x", code="c", headers={name: value})
        assert "evil" not in offer["authURL"] + str(dict(returned.headers) | {"access-control-allow-origin": ""})
        found.add((offer["authURL"].partition("?")[0], offer["authURL"][-14:], returned.headers["location"]))

    assert found == {(usual, "&redirect_uri=", FAILED)}


async def test_the_way_back_through_another_process(tmp_path, database):
    """The window may come back to another process than the one that holds the connection of the page."""
    apps = [App(tmp_path, database=database, shared=True) for _ in range(2)]
    for app in apps:
        await app.start()
    first, second = map(TestClient, apps)
    async with first.listen("@oauth2") as listener:
        sent = [await back(second, state=listener.client_id, code="c") for _ in range(2)]
        event = await listener.event()
    for app in apps:
        await app.stop()

    assert (sent, event.json) == ([DONE, FAILED], {"state": listener.client_id, "code": "c"})
