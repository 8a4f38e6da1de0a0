"""Who may have a file: everyone who knows its name, unless its field is protected; then the record's view rule decides."""

import asyncio
import time

import pytest
from shelf import TEXT, file_token, make_shelf, put, sign_up

from undercroft.auth import tokens
from undercroft.testing import File

MINE = "owner = @request.auth.id"
SECRET = File("secret.txt", b"for few")


async def test_file_is_served(client):
    """A file comes back byte by byte, by the name or the id of its collection."""
    await make_shelf(client)
    shelf = await put(client)

    by_name, by_id = await shelf.get(), await client.get(shelf.path("open", "shelf0000000000"))

    assert (by_name.status, by_name.body, by_name.headers["content-length"]) == (200, TEXT, "10")
    assert by_id.body == TEXT
    assert (await client.get(shelf.path("open", "SHELF"))).body == TEXT


async def test_head(client):
    """HEAD says what GET would, without the bytes."""
    await make_shelf(client)
    shelf = await put(client)

    get, head = await shelf.get(), await shelf.head()

    assert (head.status, head.body) == (200, b"")
    get_headers, head_headers = dict(get.headers), dict(head.headers)
    assert get_headers.pop("x-request-id") != head_headers.pop("x-request-id")
    assert head_headers == get_headers


async def test_every_file_of_a_field(client):
    """Each file of a field that holds several is served under its name."""
    await make_shelf(client)
    shelf = await put(client, many=[File(f"{n}.txt", b"%d" % n) for n in range(3)])
    folder = shelf.path("many").rpartition("/")[0]

    assert [(await client.get(f"{folder}/{name}")).body for name in shelf.record["many"]] == [b"0", b"1", b"2"]


async def test_empty_file(client):
    """A file without bytes is a file."""
    await make_shelf(client)
    shelf = await put(client, open=File("nothing.txt", b""))

    answer = await shelf.get(headers={"range": "bytes=0-"})

    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")


@pytest.mark.parametrize("rule", [None, "id = 'nobody'", ""])
async def test_rule_of_open_field_is_not_asked(client, rule):
    """A file in a field that is not protected is for everyone who knows its name."""
    await make_shelf(client, rule)
    shelf = await put(client)

    assert (await shelf.get()).body == TEXT
    assert (await shelf.get(as_="no token of ours", token="nor this")).body == TEXT


async def test_hidden_field(client):
    """A hidden field hides the name of a file, not the file from those who know the name."""
    root = await make_shelf(client)
    shelf = await put(client)
    path = f"/api/collections/shelf/records/{shelf.record['id']}"
    name = (await client.patch(path, form={"veiled": SECRET}, as_=root)).json["veiled"]

    assert "veiled" not in (await client.get(path)).json
    assert (await client.get(f"/api/files/shelf/{shelf.record['id']}/{name}")).body == SECRET.content


async def test_protected(client):
    """A protected file goes to those whom the view rule lets see the record, by their file token."""
    root = await make_shelf(client, MINE)
    (ada, ada_token), (_, bob_token) = await sign_up(client, root, "ada"), await sign_up(client, root, "bob")
    shelf = await put(client, secret=SECRET, owner=ada)

    assert (await shelf.get("secret", token=await file_token(client, ada_token))).body == SECRET.content
    assert (await shelf.get("secret", token=await file_token(client, root))).body == SECRET.content
    assert (await shelf.get("secret", token=await file_token(client, bob_token))).status == 404
    assert (await shelf.get("secret")).status == 404
    assert (await shelf.head("secret")).status == 404


async def test_only_file_tokens_count(client):
    """A protected file is not given for an auth token, wherever it stands, nor for a file token in a header."""
    root = await make_shelf(client, MINE)
    ada, token = await sign_up(client, root, "ada")
    shelf = await put(client, secret=SECRET, owner=ada)
    for_files = await file_token(client, token)

    assert (await shelf.get("secret", as_=token)).status == 404
    assert (await shelf.get("secret", token=token)).status == 404
    assert (await shelf.get("secret", as_=for_files)).status == 404
    assert (await shelf.get("secret", token=for_files[:-2])).status == 404
    assert (await client.get("/api/collections/shelf/records", as_=for_files)).status == 403


async def test_token_ends(client, monkeypatch):
    """A file token lives as long as its collection says, and dies with the key of its account."""
    root = await make_shelf(client, MINE)
    ada, token = await sign_up(client, root, "ada")
    shelf = await put(client, secret=SECRET, owner=ada)
    before = time.time()
    for_files = await file_token(client, token)
    end = tokens.read_claims(for_files).exp
    assert before + 179 < end <= time.time() + 180
    monkeypatch.setattr(tokens.time, "time", lambda: end - 0.001)
    assert (await shelf.get("secret", token=for_files)).status == 200
    monkeypatch.setattr(tokens.time, "time", lambda: end)

    assert (await shelf.get("secret", token=for_files)).status == 404
    monkeypatch.undo()
    secret = {"password": "another-horse-9", "passwordConfirm": "another-horse-9"}
    assert (await client.patch(f"/api/collections/users/records/{ada}", secret, as_=root)).status == 200
    assert (await shelf.get("secret", token=for_files)).status == 404


async def test_guest_gets_no_token(client):
    """Who is not signed in gets no file token."""
    answer = await client.post("/api/files/token")

    assert (answer.status, answer.error.code) == (401, "unauthenticated")


async def test_null_rule(client):
    """Where only superusers may view, only they get protected files; others learn nothing, not even that."""
    root = await make_shelf(client, None)
    _, token = await sign_up(client, root, "ada")
    shelf = await put(client, secret=SECRET)

    assert (await shelf.get("secret")).status == 404
    assert (await shelf.get("secret", token=await file_token(client, token))).status == 404
    assert (await shelf.get("secret", token=await file_token(client, root))).status == 200


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ("@request.context = 'protectedFile'", 200),
        ("@request.context = 'default'", 404),
        ("@request.query.key = 'open'", 200),
        ("@request.headers.x_key = 'open'", 200),
        ("title = 'shown'", 200),
        ("title = 'other'", 404),
        ("@collection.users.email = 'ada@example.com'", 404),
    ],
)
async def test_rule_sees_the_request(client, rule, status):
    """The rule is the record's own, and knows that a protected file is asked for."""
    await make_shelf(client, rule)
    shelf = await put(client, secret=SECRET, title="shown")

    assert (await shelf.get("secret", headers={"x-key": "open"}, key="open")).status == status


async def test_superuser_from_elsewhere(client):
    """A superuser's file token is good only where the superuser is."""
    root = await make_shelf(client, None)
    shelf = await put(client, secret=SECRET)
    for_files = await file_token(client, root)
    await client.patch("/api/settings", {"superuserIPs": ["127.0.0.1"]}, as_=root)
    assert (await shelf.get("secret", token=for_files)).status == 200
    await client.patch("/api/settings", {"superuserIPs": ["203.0.113.9"]}, as_=root)

    assert (await shelf.get("secret", token=for_files)).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/api/files/nothing/{id}/{name}",
        "/api/files/users/{id}/{name}",
        "/api/files/shelf/nothing/{name}",
        "/api/files/shelf/{id}/nothing.txt",
        "/api/files/shelf/{id}/{name}/more",
        "/api/files/shelf/{id}/{name}.attrs",
        "/api/files/shelf/{id}/",
        "/api/files/shelf/{id}",
        "/api/files/shelf/%00/{name}",
        "/api/files/shelf/{id}/%00",
        "/api/files/shelf/{id}/%ff%fe",
    ],
)
async def test_not_there(client, path):
    """What is wrong with a path is not told apart: there is nothing there."""
    await make_shelf(client)
    shelf = await put(client)

    answer = await client.get(path.format(id=shelf.record["id"], name=shelf.record["open"]))

    assert answer.status == 404


async def test_file_of_another_record(client):
    """A file is served under its own record only."""
    await make_shelf(client)
    one, other = await put(client), await put(client)

    answer = await client.get(f"/api/files/shelf/{other.record['id']}/{one.record['open']}")

    assert answer.status == 404


async def test_lost_file(client):
    """A file that the record names and nobody has any more is not there."""
    await make_shelf(client)
    shelf = await put(client)
    await client.backend.files.delete([f"shelf0000000000/{shelf.record['id']}/{shelf.record['open']}"])

    assert (await shelf.get()).status == 404


async def test_name_that_is_no_name(client):
    """A record that names what can be no file is answered like one whose file is lost."""
    root = await make_shelf(client)
    shelf = await put(client)
    engine = client.backend.engine
    sql = f"UPDATE {engine.dialect.quote('shelf')} SET {engine.dialect.quote('open')} = '../../data.db'"
    await engine.write(lambda transaction: transaction.run(sql))

    answer = await client.get(f"/api/files/shelf/{shelf.record['id']}/..%2F..%2Fdata.db", as_=root)

    assert answer.status == 404


async def test_through_a_view(client):
    """A view serves the files of the records that it shows, under its own rule."""
    root = await make_shelf(client, "id = 'nobody'")
    shelf = await put(client, secret=SECRET, many=[File("a.txt", b"a"), File("b.txt", b"b")])
    query = "SELECT ('x' || s.id) AS id, s.open AS shown, s.many AS several, s.secret FROM shelf s"
    for made in (
        {"name": "window", "type": "view", "viewRule": "", "viewQuery": "SELECT id, open, secret FROM shelf"},
        {"name": "far", "type": "view", "viewRule": None, "viewQuery": query},
        {"name": "farther", "type": "view", "viewRule": "", "viewQuery": "SELECT id, several AS more FROM far"},
    ):
        answer = await client.post("/api/collections", made, as_=root)
        assert answer.status == 200, answer.text
    token = await file_token(client, root)
    far, second = f"x{shelf.record['id']}", shelf.record["many"][1]

    assert (await client.get(shelf.path("open", "window"))).body == TEXT
    assert (await client.get(shelf.path("secret", "window"))).body == SECRET.content
    assert (await client.get(f"/api/files/far/{far}/{shelf.record['open']}")).body == TEXT
    assert (await client.get(f"/api/files/far/{far}/{second}")).body == b"b"
    assert (await client.get(f"/api/files/farther/{far}/{second}")).body == b"b"
    assert (await client.get(f"/api/files/far/{far}/{shelf.record['secret']}")).status == 404
    assert (await client.get(f"/api/files/far/{far}/{shelf.record['secret']}", token=token)).body == SECRET.content
    assert (await client.get(f"/api/files/far/{shelf.record['id']}/{second}")).status == 404


async def test_one_query(client, monkeypatch):
    """What an open file costs the database is one query for one record."""
    await make_shelf(client)
    shelf = await put(client)
    await shelf.get()
    asked = []
    read = client.backend.engine.read
    others = asyncio.all_tasks() - {asyncio.current_task()}  # what the server does besides has its own questions

    async def counted(sql, values=()):
        if asyncio.current_task() not in others:
            asked.append(str(sql))
        return await read(sql, values)

    monkeypatch.setattr(type(client.backend.engine), "read", lambda _, sql, values=(): counted(sql, values))

    assert (await shelf.get()).status == 200
    assert len(asked) == 1
