"""Who is logged in to an account: the list of sessions, and ending them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from api_keys import House, open_house
from joserfc import jws
from joserfc.jwk import OctKey
from stopwatch import Stopwatch

from undercroft.auth import logins, sessions, tokens
from undercroft.auth.logins import login_of
from undercroft.auth.sessions import Device, begin_session
from undercroft.query.scope import Identity
from undercroft.records.record import find_record
from undercroft.testing import TestClient

pytestmark = pytest.mark.anyio
POSTS = "/api/collections/posts/records"
OWN_PAGE = {"sec-fetch-site": "same-origin"}
_KEY = OctKey.import_key("x" * 80)


@dataclass
class Visit:
    """Ada, logged in again and again."""

    house: House

    async def log_in(self, agent: str = "") -> str:
        form = {"identity": "ada@example.com", "password": "correct-horse-9"}
        path = "/api/collections/members/auth-with-password"
        answer = await self.house.client.post(path, form, headers={"user-agent": agent})
        token: str = answer.json["token"]
        return token

    async def renew(self, token: str) -> Any:
        return await self.house.client.post("/api/collections/members/auth-refresh", as_=token)

    async def cookie(self, agent: str = "") -> dict[str, str]:
        value = await begin_session(self.house.client.backend.engine, await self.account(), Device("10.0.0.1", agent))
        return {"cookie": f"session={value}", **OWN_PAGE}

    async def account(self) -> Identity:
        backend = self.house.client.backend
        members, engine = backend.catalog.collection("members"), backend.engine
        record = await find_record(engine.read, engine.dialect, members, {"id": self.house.ids["ada"]})
        assert record is not None
        return Identity(members, record)

    async def list(self, token: str = "", headers: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        answer = await self.house.client.get("/api/sessions", as_=token, headers=headers)
        assert answer.status == 200, answer.text
        found: list[dict[str, Any]] = answer.json["items"]
        return found

    async def own(self, token: str) -> str:
        """The id of a token's session."""
        return next(each["id"] for each in await self.list(token) if each["isCurrent"])

    async def end(self, session_id: str, token: str) -> int:
        return (await self.house.client.delete(f"/api/sessions/{session_id}", as_=token)).status

    async def sees(self, token: str = "", headers: Mapping[str, str] | None = None) -> int:
        """How many posts she sees."""
        found: int = (await self.house.client.get(POSTS, as_=token, headers=headers)).json["totalItems"]
        return found


@pytest.fixture
async def ada(client: TestClient) -> Visit:
    return Visit(await open_house(client))


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(jws.extract_compact(token.encode()).payload)
    return found


async def test_the_list(ada: Visit):
    """Tokens and cookies, the newest first, with where they came from, and which one asks."""
    first = ada.house.tokens["ada"]
    phone = await ada.log_in("Phone")
    cookie = await ada.cookie("Browser")

    found = await ada.list(phone)

    assert [(each["kind"], each["agent"], each["isCurrent"]) for each in found] == [
        ("cookie", "Browser", False),
        ("token", "Phone", True),
        ("token", "", False),
    ]
    assert [each["address"] for each in found] == ["10.0.0.1", "127.0.0.1", "127.0.0.1"]
    assert all(each["created"] < each["expires"] for each in found)
    assert [each["isCurrent"] for each in await ada.list(headers=cookie)] == [True, False, False]
    assert len(await ada.list(first)) == 3
    assert len(await ada.list(ada.house.tokens["ben"])) == 1


async def test_nothing_in_the_list_opens_anything(ada: Visit):
    """An id is neither a token nor a cookie."""
    token, cookie = await ada.log_in(), await ada.cookie()

    for each in await ada.list(token):
        assert await ada.sees(each["id"]) == 0
        assert await ada.sees(headers={"cookie": f"session={each['id']}", **OWN_PAGE}) == 0
        assert each["id"] not in cookie["cookie"] + token


async def test_an_ended_login_opens_nothing(ada: Visit):
    """Its tokens, those renewed from it, tokens for files and live updates; others go on."""
    token, other, cookie = await ada.log_in(), await ada.log_in(), await ada.cookie()
    renewed = (await ada.renew(token)).json["token"]
    client = ada.house.client
    file_token = (await client.post("/api/files/token", as_=renewed)).json["token"]
    paper = f"/api/files/{ada.house.paper}"
    assert (await client.get(paper, token=file_token)).status == 200
    async with client.listen("posts/*", as_=renewed) as ears, client.listen("posts/*", as_=other) as others:
        assert await ada.end(await ada.own(token), other) == 204
        watch = Stopwatch()

        assert [await ada.sees(each) for each in (token, renewed, other)] == [0, 0, 1]
        assert await ada.sees(headers=cookie) == 1
        assert (await ada.renew(token)).status == 401
        assert (await client.get(paper, token=file_token)).status == 404
        await ada.house.until(lambda: ears.is_over)
        assert watch.seconds() < 1
        assert not others.is_over
    assert len(await ada.list(other)) == 3


async def test_an_ended_cookie_opens_nothing(ada: Visit):
    """Nor do tokens for files and live updates that were had with it."""
    token, cookie, client = ada.house.tokens["ada"], await ada.cookie(), ada.house.client
    file_token = (await client.post("/api/files/token", headers=cookie)).json["token"]
    paper = f"/api/files/{ada.house.paper}"
    assert (await client.get(paper, token=file_token)).status == 200
    async with client.listen(headers=cookie) as ears:
        wish = {"clientId": ears.client_id, "subscriptions": ["posts/*"]}
        assert (await client.post("/api/realtime", wish, headers=cookie)).status == 204
        session = next(each for each in await ada.list(token) if each["kind"] == "cookie")
        watch = Stopwatch()
        assert await ada.end(session["id"], token) == 204

        assert (await ada.sees(headers=cookie), await ada.sees(token)) == (0, 1)
        assert (await client.get(paper, token=file_token)).status == 404
        await ada.house.until(lambda: ears.is_over)
        assert watch.seconds() < 1


async def test_all_others(ada: Visit):
    """Whoever asks stays, by whichever way they came."""
    first, second, cookie = await ada.log_in(), await ada.log_in(), await ada.cookie()

    assert (await ada.house.client.delete("/api/sessions", as_=second)).status == 204
    assert [await ada.sees(each) for each in (first, second, ada.house.tokens["ada"])] == [0, 1, 0]
    assert await ada.sees(headers=cookie) == 0
    assert [each["isCurrent"] for each in await ada.list(second)] == [True]

    cookie = await ada.cookie()
    assert (await ada.house.client.delete("/api/sessions", headers=cookie)).status == 204
    assert (await ada.sees(second), await ada.sees(headers=cookie)) == (0, 1)
    assert await ada.house.client.login("members", "ben@example.com", "correct-horse-9")
    assert len(await ada.list(ada.house.tokens["ben"])) == 2


async def test_one_ends_oneself(ada: Visit):
    """The session that asks can be ended too: that is to log out."""
    token = await ada.log_in()

    assert await ada.end(await ada.own(token), token) == 204
    assert (await ada.house.client.get("/api/sessions", as_=token)).status == 401


async def test_those_of_others_are_not_there(ada: Visit):
    """To end somebody else's is to end nothing."""
    token = await ada.log_in()
    session_id = await ada.own(token)

    for name in ("ben", "root"):
        assert await ada.end(session_id, ada.house.tokens[name]) == 404
    assert await ada.end("nothing", token) == 404
    assert await ada.end(session_id, token) == 204
    assert (await ada.house.client.get("/api/sessions")).status == 401
    assert (await ada.house.client.delete("/api/sessions")).status == 401


async def test_what_a_new_password_ended_is_not_listed(ada: Visit):
    """Neither tokens nor cookies, nor tokens that a new secret of the collection ended."""
    await ada.cookie()
    path, new = f"/api/collections/members/records/{ada.house.ids['ada']}", "another-horse-9"
    await ada.house.make(200, "PATCH", path, {"password": new, "passwordConfirm": new})
    token = await ada.house.client.login("members", "ada@example.com", new)
    assert len(await ada.list(token)) == 1

    await ada.house.make(200, "PATCH", "/api/collections/members", {"authToken": {"secret": "x" * 40}})
    token = await ada.house.client.login("members", "ada@example.com", new)
    assert len(await ada.list(token)) == 1


async def test_renewed_tokens_are_of_the_same_login(ada: Visit):
    """It is the same line in the list, however often, and says until when."""
    token = await ada.log_in("Phone")
    session_id = await ada.own(token)
    await ada.house.make(200, "PATCH", "/api/collections/members", {"authToken": {"duration": 3600 * 24 * 30}})

    renewed = (await ada.renew(token)).json["token"]
    again = (await ada.renew(renewed)).json["token"]

    found = await ada.list(again)
    assert [each["id"] for each in found if each["isCurrent"]] == [session_id]
    assert len(found) == 2
    assert found[0]["expires"] >= ada.house.date_in(3600 * 24 * 29)
    assert {claims_of(each)["iat"] for each in (token, renewed, again)} == {claims_of(token)["iat"]}


async def test_renewing_writes_seldom(ada: Visit):
    """Who renews again and again has the database write once in a while."""
    token, engine = await ada.log_in(), ada.house.client.backend.engine
    read = 'SELECT "id", "seen", "expires" FROM "_sessions" ORDER BY "id"'
    before = await engine.read(read, ())

    for _ in range(3):
        token = (await ada.renew(token)).json["token"]

    assert await engine.read(read, ()) == before


async def test_tokens_say_when(ada: Visit):
    """The one claim more is `iat`, as RFC 7519 has it; to the microsecond, which names the log-in."""
    claims = claims_of(await ada.log_in())

    assert set(claims) == {"collectionId", "exp", "iat", "id", "refreshable", "type"}
    assert abs(claims["iat"] - time.time()) < 30
    assert claims["iat"] != int(claims["iat"])


async def test_a_login_that_nobody_kept_is_kept_again(ada: Visit):
    """As after a restore from yesterday: the token goes on, and is listed once it is renewed."""
    token, backend = await ada.log_in(), ada.house.client.backend
    await backend.engine.write(lambda tx: tx.run('DELETE FROM "_sessions"'))
    async with ada.house.client.listen("posts/*", as_=token) as ears:
        await backend.live.end_closed()
        assert not ears.is_over
    assert (await ada.list(token), await ada.sees(token)) == ([], 1)

    renewed = (await ada.renew(token)).json["token"]

    assert [each["isCurrent"] for each in await ada.list(renewed)] == [True]
    assert await ada.end(await ada.own(renewed), renewed) == 204
    assert (await ada.sees(token), await ada.sees(renewed)) == (0, 0)


async def test_old_tokens_go_on(ada: Visit):
    """Tokens of earlier versions name no log-in, or whole seconds: they count, and are of no line."""
    account = await ada.account()
    for more in ({}, {"iat": int(time.time())}):
        token = tokens.issue("auth", account.collection, account.record, refreshable=True, **more)
        claims = tokens.read_claims(token)

        assert claims is not None
        assert login_of(claims) is None
        assert [each["isCurrent"] for each in await ada.list(token)] == [False]
        assert await ada.sees((await ada.renew(token)).json["token"]) == 1


async def test_what_is_ended_is_known_as_long_as_its_tokens_last(ada: Visit, monkeypatch: pytest.MonkeyPatch):
    """Also to a process that starts later; then it is forgotten."""
    token, other, backend = await ada.log_in(), ada.house.tokens["ada"], ada.house.client.backend
    await ada.end(await ada.own(token), other)
    claims, duration = tokens.read_claims(token), (await ada.account()).collection.auth.auth_token.duration
    assert claims is not None
    backend.ended.__init__()
    assert not backend.ended.has(claims)
    await backend.ended.load(backend.engine)
    assert backend.ended.has(claims)
    assert await ada.sees(token) == 0

    for later, is_known in ((duration - 5, True), (2 * duration, False)):
        clock = SimpleNamespace(time=partial(float, time.time() + later))
        monkeypatch.setattr(sessions, "time", clock)
        monkeypatch.setattr(logins, "time", clock)
        await backend.engine.write(lambda tx: sessions.forget_old_sessions(tx, backend.engine.dialect))
        await backend.ended.load(backend.engine)
        assert backend.ended.has(claims) == is_known


async def test_a_forged_login_ends_nobody(ada: Visit):
    """Who changes `iat` in a token that was ended has a token that nobody signed."""
    token, other = await ada.log_in(), ada.house.tokens["ada"]
    await ada.end(await ada.own(token), other)
    header, _, signature = token.split(".")
    claims = claims_of(token)

    for iat in (claims["iat"] + 1e-6, int(claims["iat"]), None, 0.5, 1e300, "x"):
        forged = jws.serialize_compact({"alg": "HS256", "typ": "JWT"}, json.dumps(claims | {"iat": iat}), _KEY)
        mixed = f"{header}.{forged.split('.')[1]}.{signature}"
        assert [await ada.sees(each) for each in (forged, mixed)] == [0, 0]


async def test_impersonation_is_no_login_of_the_account(ada: Visit):
    """It is not in the list, and its token goes on by itself."""
    path = f"/api/collections/members/impersonate/{ada.house.ids['ada']}"
    spoken = (await ada.house.client.post(path, {}, as_=ada.house.tokens["root"])).json["token"]

    assert [each["isCurrent"] for each in await ada.list(spoken)] == [False]
    assert len(await ada.list(ada.house.tokens["root"])) == 1


async def test_they_go_with_the_account(ada: Visit):
    """A deleted account leaves none."""
    await ada.cookie()
    path = f"/api/collections/members/records/{ada.house.ids['ada']}"
    assert (await ada.house.client.delete(path, as_=ada.house.tokens["root"])).status == 204

    sql = 'SELECT "record" FROM "_sessions"'
    rows = await ada.house.client.backend.engine.read(sql, ())
    assert (ada.house.ids["ada"],) not in rows
