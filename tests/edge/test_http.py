"""What every answer has, and what paths and methods lead to."""

import pytest

HEALTH = "/api/health"
ORIGIN = {"origin": "https://app.example.com"}


async def test_security_headers(client):
    """Every answer carries the headers that browsers obey, errors too."""
    for path in (HEALTH, "/api/nope"):
        headers = (await client.get(path)).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["x-xss-protection"] == "1; mode=block"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["vary"] == "Origin"
        assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "path", ["/api/unknown", "/api/unknown/deeper", "/API/health", "/api/health/", "/", "/api%2Fhealth"]
)
async def test_unknown_path(client, path):
    """An unknown path is a file that is not there."""
    answer = await client.get(path)

    assert answer.status == 404
    assert answer.json == {"data": {}, "message": "File not found.", "status": 404}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "NONSENSE"])
async def test_unknown_method(client, method):
    """There is no 405: with another method the path leads nowhere."""
    answer = await client.request(method, HEALTH)

    assert answer.status == 404
    assert answer.json["message"] == "The requested resource wasn't found."


async def test_head(client):
    """HEAD answers as GET does, without the body."""
    whole, head = await client.get(HEALTH), await client.request("HEAD", HEALTH)

    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.body))
    assert (await client.request("HEAD", "/api/nope")).body == b""


@pytest.mark.parametrize(
    ("path", "location"),
    [("/api/./health", HEALTH), ("/api//health", HEALTH), ("/x/../api/health?a=1", HEALTH + "?a=1")],
)
async def test_unclean_path(client, path, location):
    """A path with doubled slashes or dots is sent on to the clean one."""
    answer = await client.get(path)

    assert (answer.status, answer.headers["location"]) == (307, location)


async def test_redirects_stay_on_this_host(client):
    """A path that begins with two slashes does not lead to another host."""
    assert (await client.get("//evil.example/%0d%0aSet-Cookie:x")).headers["location"].startswith("/evil.example")


async def test_request_id(client):
    """An answer names its request, by the id that came with it when that is fit to be logged."""
    assert (await client.get(HEALTH, headers={"x-request-id": "abc-1"})).headers["x-request-id"] == "abc-1"
    assert (await client.get(HEALTH, headers={"x-request-id": "a b\x1b"})).headers["x-request-id"] != "a b\x1b"
    first, second = [(await client.get(HEALTH)).headers["x-request-id"] for _ in range(2)]
    assert first != second


async def test_cors(client):
    """Any origin may read an answer, without credentials; who names none is told nothing."""
    assert (await client.get(HEALTH, headers=ORIGIN)).headers["access-control-allow-origin"] == "*"
    headers = (await client.get(HEALTH)).headers
    assert [name for name in headers if name.startswith("access-control")] == []


async def test_preflight(client):
    """A preflight is told the methods and gets its headers echoed; it is nobody's credential."""
    asked = ORIGIN | {"access-control-request-method": "PATCH", "access-control-request-headers": "authorization,x-a"}
    answer = await client.request("OPTIONS", "/api/collections/posts/records", headers=asked)

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET,HEAD,PUT,PATCH,POST,DELETE"
    assert answer.headers["access-control-allow-headers"] == "authorization,x-a"
    assert "access-control-allow-credentials" not in answer.headers
    assert "content-length" not in answer.headers


async def test_guest_with_a_bad_token(client):
    """A token that does not verify makes a guest."""
    assert (await client.get(HEALTH, as_="garbage")).status == 200
    assert (await client.get("/api/settings", as_="garbage")).status == 401


async def test_health_for_superusers(client):
    """A superuser learns how the server sees them."""
    token = await client.superuser()
    answer = await client.get(HEALTH, as_=token, headers={"x-real-ip": "1.2.3.4"})

    assert answer.json["data"] == {"canBackup": False, "possibleProxyHeader": "X-Real-IP", "realIP": "127.0.0.1"}
    assert (await client.get(HEALTH)).json == {"code": 200, "data": {}, "message": "API is healthy."}


async def test_fields(client):
    """`fields` picks keys of any answer, and is ignored on errors."""
    token = await client.superuser()

    assert (await client.get(HEALTH, fields="code")).json == {"code": 200}
    assert (await client.get("/api/settings", as_=token, fields="meta.appName")).json == {"meta": {"appName": "Acme"}}
    assert (await client.get("/api/settings", fields="status")).json["message"]
    assert (await client.get(HEALTH, fields="code:nope(1)")).status == 400


async def test_bad_fields_of_a_write(client):
    """A write with a bad `fields` is refused before it writes."""
    token = await client.superuser()
    answer = await client.patch("/api/settings", {"meta": {"appName": "X"}}, as_=token, fields="meta:nope(1)")

    assert answer.status == 400
    assert (await client.get("/api/settings", as_=token)).json["meta"]["appName"] == "Acme"


async def test_unexpected_fault(client, monkeypatch, caplog):
    """A fault of ours is a 500 that tells nothing, and a log entry that tells all."""
    monkeypatch.setattr("undercroft.api.health._details", None)
    token = await client.superuser()
    answer = await client.get(HEALTH, as_=token)

    assert answer.status == 500
    assert answer.json == {"data": {}, "message": "Something went wrong while processing your request.", "status": 500}
    assert answer.headers["x-request-id"] in caplog.text
