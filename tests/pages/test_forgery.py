"""Requests that other sites make a visitor's browser send, and what browsers are told to keep to."""

from __future__ import annotations

import itertools

import pytest
from visitor import Sheet, Visitor

from undercroft import testing

EMAIL, PASSWORD = "ann@example.com", "correct-horse-9"
PAGES = {
    "login.html": '{{ sign_in_form(records.users, then="/") }}',
    "index.html": "{{ user.email if user else 'guest' }}",
    "note.html": '{% if user %}{{ form(records.notes, then="/") }}{{ sign_out_form() }}{% endif %}',
    "own.html": "own",
    "own.py": "async def post(request):\n    await request.records.notes.create(text='own')\n    return {}\n",
}
FORM, JSON, TEXT = "application/x-www-form-urlencoded", "application/json", "text/plain"
# What a browser says about requests that pages of other sites cause.
FOREIGN = (
    {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    {"sec-fetch-site": "cross-site", "origin": "null"},
    {"sec-fetch-site": "same-site", "origin": "http://other.testserver"},
    {"sec-fetch-site": "cross-site"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://testserver.evil.example"},
    {"origin": "http://testserver:81"},
    {"origin": "https://testserver@evil.example", "referer": "http://testserver/"},
    {"sec-fetch-site": "cross-site", "origin": "http://testserver", "referer": "http://testserver/"},
)
# A write in each of the forms that need no permission of the server (Fetch, 2.2.2, "simple" requests).
WRITES = (
    ("/note?_form=notes", FORM, "form"),
    ("/own", FORM, b"a=b"),
    ("/own", TEXT, b'{"text": "x"}'),
    ("/api/collections/notes/records", TEXT, b'{"text": "x"}'),
    ("/api/collections/notes/records", JSON, b'{"text": "x"}'),
    ("/api/collections/notes/records", FORM, b"text=x"),
)
FORGED = list(itertools.product(WRITES, FOREIGN))


@pytest.fixture
async def visitor(tmp_path, database):
    """Somebody who is signed in, and writes notes that nobody else may write."""
    folder = tmp_path / "site" / "pages"
    folder.mkdir(parents=True)
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    async with testing.client(tmp_path / "data", database, site=tmp_path / "site") as opened:
        root = await opened.superuser()
        body = {"email": EMAIL, "password": PASSWORD, "passwordConfirm": PASSWORD}
        await opened.post("/api/collections/users/records", body, as_=root)
        fields = [{"name": "text", "type": "text"}]
        rules = {"createRule": "@request.auth.id != ''", "listRule": "@request.auth.id != ''"}
        await opened.post("/api/collections", {"name": "notes", "type": "base", "fields": fields, **rules}, as_=root)
        visitor = Visitor(opened)
        await visitor.send(await visitor.open("/login"), {"identity": EMAIL, "password": PASSWORD})
        assert visitor.cookies
        yield visitor


async def notes(visitor):
    """How many notes there are."""
    return len(await visitor.client.backend.engine.read('SELECT 1 FROM "notes"'))


async def test_sixty_forged_writes_change_nothing(visitor):
    """Whatever another site makes the visitor's browser send, nothing is written with their rights."""
    page = await visitor.open("/note")
    typed = Sheet(page.text).forms[0]["fields"]
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    statuses = []
    for (path, kind, body), foreign in FORGED:
        headers = {"cookie": cookie, "content-type": kind, **foreign}
        sent = {"form": typed} if body == "form" else {"body": body}
        answer = await visitor.client.post(path, headers=headers, **sent)
        statuses.append(answer.status)

    assert await notes(visitor) == 0
    assert len(statuses) == 60
    assert set(statuses) <= {400, 403, 405}
    assert (await visitor.open("/")).text == EMAIL


async def test_own_pages_may_do_the_same(visitor):
    """The same writes from pages of our own are the visitor's."""
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    headers = {"cookie": cookie, "sec-fetch-site": "same-origin"}

    await visitor.send(await visitor.open("/note"), {"text": "x"})
    await visitor.client.post("/own", form={"a": "b"}, headers=headers)
    await visitor.client.post("/api/collections/notes/records", {"text": "x"}, headers=headers)

    assert await notes(visitor) == 3


@pytest.mark.parametrize("path", ["/note?_form=notes&text=x", "/own?text=x", "/login?_form=@sign-out"])
async def test_reading_never_writes(visitor, path):
    """A link does nothing but show."""
    answer = await visitor.open(path)

    assert answer.status == 200
    assert await notes(visitor) == 0
    assert (await visitor.open("/")).text == EMAIL


async def test_pages_are_framed_by_nobody(visitor):
    """No other site can lay our page beneath its own, or hold on to its window."""
    headers = (await visitor.open("/note")).headers

    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "form-action 'self'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]


async def test_api_answers_to_a_cookie_are_in_no_cache(visitor):
    """A shared cache does not know that a cookie made the answer."""
    answer = await visitor.open("/api/collections/notes/records")

    assert (answer.status, answer.headers["cache-control"]) == (200, "private, no-store")


@pytest.mark.parametrize("count", [1, 50, 500])
async def test_cookie_bombs_cost_nothing(visitor, count):
    """Thousands of cookies are read in one pass, or not at all."""
    bomb = "; ".join(f"c{n}={'=' * 10}" for n in range(count))
    value = visitor.cookies["session"]

    answer = await visitor.client.get(
        "/", headers={"cookie": f"{bomb}; session={value}", "sec-fetch-site": "same-origin"}
    )

    assert answer.status == 200
    assert answer.text == (EMAIL if len(bomb) < 8000 else "guest")


async def test_answers_never_allow_credentials(visitor):
    """Scripts of other origins may call, and never with the visitor's cookie."""
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    headers = {"cookie": cookie, "origin": "https://evil.example", "sec-fetch-site": "cross-site"}

    answer = await visitor.client.get("/api/collections/notes/records", headers=headers)

    assert "access-control-allow-credentials" not in answer.headers
    assert answer.json["items"] == []
