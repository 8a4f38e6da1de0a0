"""Routes and applications of a site's own."""

from __future__ import annotations

import logging

import pytest

from undercroft.app import App
from undercroft.hooks.failures import BadHooks
from undercroft.http.response import Response
from undercroft.testing import client

ROUTES = """
from undercroft import mount, route

@route.get("/api/hello/{name}")
async def hello(request):
    request.add_header("x-own", "yes")
    return {"hello": request.params["name"], "query": request.query.get("q"), "who": request.user and request.user.email}

@route.post("/api/sum", limit=100)
async def add(request):
    return {"sum": sum((await request.json())["numbers"])}

@route.get("/plain")
def plain(request):
    return "just text"

@route.get("/nothing")
async def nothing(request):
    return None

@route.get("/api/closed", auth="superuser")
async def closed(request):
    return {"secret": 42}

@route.get("/api/mine", auth="auth")
async def mine(request):
    return [record.title for record in await request.records.posts.list(sort="title")]

@route.get("/api/broken")
async def broken(request):
    return 1 // 0

@route.get("/api/leaving")
async def leaving(request):
    raise SystemExit

@route.get("/api/odd")
async def odd(request):
    return object()

@mount("/shop")
def shop():
    async def app(scope, receive, send):
        if scope["path"].endswith("/broken"):
            raise ValueError("closed today")
        who = scope["undercroft.request"].identity
        text = f"{scope['root_path']} {scope['path']} {who and who.record['email']}"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": text.encode()})
    return app
"""


@pytest.fixture
async def shop(tmp_path, database):
    """A backend with routes of its own."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "routes.py").write_text(ROUTES)
    async with client(tmp_path / "data", database, hooks=tmp_path / "hooks") as opened:
        yield opened


async def test_a_route(shop):
    """A function answers at its path with what it returns, as JSON."""
    answer = await shop.get("/api/hello/J%C3%B8rn", q="x")

    assert (answer.status, answer.json) == (200, {"hello": "Jørn", "query": "x", "who": None})
    assert answer.headers["x-own"] == "yes"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_who_asks_a_route(shop):
    """A route knows who asks."""
    answer = await shop.get("/api/hello/you", as_=await shop.superuser())

    assert answer.json["who"] == "root@example.com"


@pytest.mark.parametrize(("path", "status", "body"), [("/plain", 200, "just text"), ("/nothing", 204, "")])
async def test_other_answers(shop, path, status, body):
    """Text is sent as text, and nothing as 204."""
    answer = await shop.get(path)

    assert (answer.status, answer.text) == (status, body)


async def test_bodies(shop):
    """A route reads JSON, up to its limit."""
    fine = await shop.post("/api/sum", {"numbers": [1, 2, 3]})
    large = await shop.post("/api/sum", {"numbers": [1] * 100})
    broken = await shop.post("/api/sum", body=b"{", headers={"content-type": "application/json"})

    assert fine.json == {"sum": 6}
    assert (large.status, large.error.code) == (413, "too_large")
    assert (broken.status, broken.error.code) == (400, "not_json")


async def test_demands(shop):
    """A route that demands a superuser, or anybody who is known, gets no others."""
    root = await shop.superuser()
    account = {"email": "a@example.com", "password": "password-1", "passwordConfirm": "password-1"}
    await shop.post("/api/collections/users/records", account, as_=root)
    ann = await shop.login("users", "a@example.com", "password-1")

    statuses = [(await shop.get("/api/closed", as_=token)).status for token in ("", ann, root)]

    assert statuses == [401, 403, 200]
    assert (await shop.get("/api/mine")).status == 401


async def test_records_of_a_route(shop):
    """A route reads as its caller: under the list rule of the collection."""
    root = await shop.superuser()
    account = {"email": "a@example.com", "password": "password-1", "passwordConfirm": "password-1"}
    await shop.post("/api/collections/users/records", account, as_=root)
    ann = await shop.login("users", "a@example.com", "password-1")
    body = {"name": "posts", "fields": [{"name": "title", "type": "text"}], "listRule": "title != 'secret'"}
    await shop.post("/api/collections", body, as_=root)
    for title in ("open", "secret"):
        await shop.post("/api/collections/posts/records", {"title": title}, as_=root)

    assert (await shop.get("/api/mine", as_=ann)).json == ["open"]
    assert (await shop.get("/api/mine", as_=root)).json == ["open", "secret"]


@pytest.mark.parametrize("path", ["/api/broken", "/api/leaving", "/api/odd"])
async def test_a_route_that_fails(shop, caplog, path):
    """It is 500 without details, the log has all, and the server goes on."""
    answer = await shop.get(path)

    assert answer.status == 500
    assert answer.json["data"] == {}
    assert "Traceback" in caplog.text
    assert (await shop.get("/api/health")).status == 200


async def test_a_mounted_application(shop):
    """It has everything at and below its path, and knows where it is and who asks."""
    answer = await shop.get("/shop/cart", as_=await shop.superuser())

    assert (answer.status, answer.text) == (200, "/shop /shop/cart root@example.com")
    assert (await shop.get("/shop")).text.startswith("/shop /shop ")
    assert (await shop.get("/shopping")).status == 404


async def test_a_mounted_application_that_fails(shop, caplog):
    """It is 500, and the server goes on."""
    with caplog.at_level(logging.ERROR, "undercroft"):
        answer = await shop.get("/shop/broken")

    assert (answer.status, answer.text) == (500, "Something went wrong.")
    assert "closed today" in caplog.text
    assert (await shop.get("/shop/cart")).status == 200


@pytest.mark.sqlite_only(reason="about paths, which are the same on both")
async def test_fastapi_below_a_path(tmp_path):
    """An application of FastAPI is one like any other."""
    from fastapi import FastAPI  # noqa: PLC0415 - takes half a second to import

    app = App(tmp_path / "data")
    other = FastAPI()
    other.get("/items/{number}")(lambda number: {"number": number})
    app.mount("/other")(lambda: other)
    async with client_of(app) as opened:
        assert (await opened.get("/other/items/7")).json == {"number": "7"}


def client_of(app):
    """A client of an app that was made elsewhere."""
    from contextlib import asynccontextmanager  # noqa: PLC0415 - as above

    from undercroft.testing import TestClient  # noqa: PLC0415 - as above

    @asynccontextmanager
    async def opened():
        await app.start()
        try:
            yield TestClient(app)
        finally:
            await app.stop()

    return opened()


@pytest.mark.sqlite_only(reason="about paths, which are the same on both")
async def test_routes_of_an_embedded_app(tmp_path):
    """`app.route` declares routes without any file, and may answer with a response."""
    app = App(tmp_path / "data")
    app.route.get("/api/tea")(lambda request: Response(418, request.method.encode()))
    async with client_of(app) as opened:
        answer = await opened.get("/api/tea")

    assert (answer.status, answer.text) == (418, "GET")


@pytest.mark.parametrize("pattern", ["/api/health", "/api/collections/{name}/records", "/api/twice"])
@pytest.mark.sqlite_only(reason="about paths, which are the same on both")
async def test_a_route_that_is_taken(tmp_path, pattern):
    """A path has one answer: the server's own cannot be taken, whatever the parts are called."""
    app = App(tmp_path / "data")
    app.route.get(pattern)(lambda request: request.path)
    app.route.get("/api/twice")(lambda request: request.path)

    with pytest.raises(BadHooks, match="there is a route GET"):
        await app.start()
    await app.stop()
