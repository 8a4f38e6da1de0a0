"""Defining encrypted fields: what may be asked for, and what a change of mind does to the table."""

from __future__ import annotations

import pytest

SEARCHED = {"search": "equality"}
CHOICES = {"type": "select", "values": ["red", "blue"]}


def field(kind, encrypted, **options):
    return {"name": "secret", "type": kind, "encrypted": encrypted, **options}


async def columns(blog, name="notes"):
    """The columns of a table and what they are made for."""
    engine = blog.client.backend.engine
    found = [str(row[0]) for row in await engine.read(engine.dialect.schema_questions().columns, [name])]
    return [name for name in found if name != "_rowid_"]


def cell(blog, name, collection="notes"):
    """The column in which the cells of a field are, quoted."""
    return f'"{blog.client.backend.catalog.collection(collection).read_columns[name]}"'


@pytest.mark.parametrize("encrypted", [True, {"search": "equality", "normalize": "email", "pad": 64}])
async def test_the_option_is_shown(blog, encrypted):
    """A field shows how it is encrypted; one that is not says nothing of it, as other clients expect."""
    made = await blog.collection("notes", field("email", encrypted), {"name": "plain", "type": "email"})
    shown = {each["name"]: each for each in made["fields"]}

    assert shown["secret"]["encrypted"] == (
        encrypted if encrypted is True else {**shown["secret"]["encrypted"], **encrypted}
    )
    assert "encrypted" not in shown["plain"]


@pytest.mark.parametrize("encrypted", [False, None])
async def test_no_is_no_option(blog, encrypted):
    """False and null mean a plain field."""
    made = await blog.collection("notes", field("text", encrypted))

    assert "encrypted" not in made["fields"][-1]
    assert await columns(blog) == ["id", "secret"]


@pytest.mark.parametrize(
    ("kind", "encrypted", "options"),
    [
        ("json", SEARCHED, {}),
        ("editor", SEARCHED, {}),
        ("select", SEARCHED, CHOICES),
        ("select", {**SEARCHED, "allowLeakage": True}, CHOICES | {"maxSelect": 2}),
        ("number", {**SEARCHED, "normalize": "digits"}, {}),
        ("text", {"normalize": "casefold"}, {}),
        ("text", {"pad": -1}, {}),
        ("text", {"pad": 5000}, {}),
    ],
)
async def test_what_cannot_be(blog, kind, encrypted, options):
    """What cannot work is refused at the option, with a sentence."""
    body = {"name": "notes", "type": "base", "fields": [field(kind, encrypted, **options)]}
    answer = await blog.client.post("/api/collections", body, as_=blog.root)

    assert answer.status == 400
    # the id that every collection has is field 0
    (errors,) = answer.json["data"]["fields"].values()
    assert errors["encrypted"]["code"] == "validation_encrypted_field"


@pytest.mark.parametrize("encrypted", ["yes", 1, {"search": "like"}, {"serach": "equality"}, {"pad": "much"}, [True]])
async def test_wrong_shapes(blog, encrypted):
    """An option of a wrong shape is a clear refusal."""
    body = {"name": "notes", "type": "base", "fields": [field("text", encrypted)]}
    answer = await blog.client.post("/api/collections", body, as_=blog.root)

    assert (answer.status, answer.error.code) == (400, "bad_definition")


@pytest.mark.parametrize("kind", ["bool", "relation", "autodate", "geoPoint", "password"])
async def test_other_types(blog, kind):
    """Types that cannot be encrypted know no such option, as they know no other foreign one."""
    home = (await blog.client.get("/api/collections/users", as_=blog.root)).json["id"]
    more = {"relation": {"collectionId": home}, "autodate": {"onCreate": True}}.get(kind, {})
    made = await blog.collection("notes", field(kind, True, **more))

    assert "encrypted" not in made["fields"][-1]


@pytest.mark.parametrize(
    "index",
    [
        "CREATE INDEX i ON notes (lower(secret))",
        "CREATE INDEX i ON notes (secret COLLATE NOCASE)",
        "CREATE INDEX i ON notes (title) WHERE secret > 'a'",
        "CREATE UNIQUE INDEX i ON notes (blind)",
    ],
)
async def test_indexes_that_cannot_be(blog, index):
    """An index has an encrypted field as it is, where it can be looked up, or not at all."""
    fields = [field("text", SEARCHED), {"name": "title", "type": "text"}, {**field("text", True), "name": "blind"}]
    body = {"name": "notes", "type": "base", "fields": fields, "indexes": [index]}
    answer = await blog.client.post("/api/collections", body, as_=blog.root)

    assert answer.status == 400
    assert answer.json["data"]["indexes"]["0"]["code"] == "validation_encrypted_field"


async def test_no_view_shows_it(blog):
    """No view can be made over an encrypted field, whatever it calls it, nor a field encrypted that one shows."""
    await blog.collection("notes", field("text", True), {"name": "title", "type": "text"})
    queries = (
        "SELECT id, secret FROM notes",
        "SELECT id, n.secret AS title FROM notes AS n",
        "SELECT id, (SELECT max(secret) FROM notes) AS most FROM notes",
        "SELECT id, title FROM notes WHERE secret = 'a'",
        "SELECT id, tokenKey FROM users",
    )
    for query in queries:
        body = {"name": "shown", "type": "view", "viewQuery": query}
        answer = await blog.client.post("/api/collections", body, as_=blog.root)
        assert answer.status == 400, query
        assert "is encrypted" in answer.json["data"]["viewQuery"]["message"], query

    await blog.collection(
        "titles",
        type="view",
        viewQuery="SELECT id, title FROM notes",
        **dict.fromkeys(("createRule", "updateRule", "deleteRule")),
    )
    fields = (await blog.client.get("/api/collections/notes", as_=blog.root)).json["fields"]
    fields[-1]["encrypted"] = True
    answer = await blog.change("notes", fields=fields)
    assert answer.status == 400
    assert "is encrypted" in answer.error.message


async def test_an_empty_table_follows_at_once(blog):
    """While no record is there, a field becomes encrypted, searched, and plain again with the change itself."""
    made = await blog.collection("notes", {"name": "secret", "type": "text"})
    secret = made["fields"][-1]
    sealed, first, second = (f"{secret['id']}~{kind}" for kind in ("sealed", 1, 2))

    for encrypted, expected in (
        (True, ["id", sealed]),
        (SEARCHED, ["id", sealed, first]),
        ({**SEARCHED, "normalize": "casefold"}, ["id", sealed, second]),
        (False, ["id", "secret"]),
    ):
        answer = await blog.change("notes", fields=[made["fields"][0], {**secret, "encrypted": encrypted}])
        assert answer.status == 200, answer.text
        assert sorted(await columns(blog)) == sorted(expected)
        record = await blog.add("notes", secret="Value")
        assert (await blog.view("notes", record["id"])).json["secret"] == "Value"
        assert (await blog.delete("notes", record["id"])).status == 204


async def test_names_change_freely(blog):
    """Renaming a field and its collection encrypts nothing anew, and everything still opens."""
    made = await blog.collection("notes", field("text", SEARCHED))
    record = await blog.add("notes", secret="sesame")
    engine = blog.client.backend.engine
    before = await engine.read(f"SELECT {cell(blog, 'secret')} FROM notes")

    fields = [made["fields"][0], {**made["fields"][1], "name": "phrase"}]
    body = {"name": "words", "fields": fields}
    answer = await blog.client.patch("/api/collections/notes", body, as_=blog.root)

    assert answer.status == 200, answer.text
    assert await engine.read(f"SELECT {cell(blog, 'phrase', 'words')} FROM words") == before
    assert (await blog.view("words", record["id"])).json["phrase"] == "sesame"
    assert (await blog.list("words", filter="phrase = 'sesame'")).json["totalItems"] == 1


async def test_a_moved_cell_stays_shut(blog):
    """A cell that was copied to another record, field or collection does not open, and nothing is given out."""
    engine = blog.client.backend.engine
    await blog.collection("notes", field("text", True), {**field("text", True), "name": "other"})
    await blog.collection("copies", field("text", True))
    one, two = await blog.add("notes", secret="one", other="x"), await blog.add("notes", secret="two")
    await blog.add("copies", secret="three")
    await blog.list("notes")  # what was read lately is no way around it

    secret, other, copied = cell(blog, "secret"), cell(blog, "other"), cell(blog, "secret", "copies")
    for sql in (
        f"""UPDATE "notes" SET {secret} = (SELECT {secret} FROM "notes" WHERE "id" = '{one["id"]}')""",
        f'UPDATE "notes" SET {secret} = {other}',
        f'UPDATE "notes" SET {secret} = (SELECT {copied} FROM "copies")',
    ):
        await engine.write(lambda tx, sql=sql: tx.run(sql))
        answer = await blog.view("notes", two["id"])
        listed = await blog.list("notes")
        if other not in sql:
            assert (answer.status, answer.error.code) == (500, "decryption_failed")
        assert (listed.status, listed.error.code) == (500, "decryption_failed")
        assert "three" not in listed.text


@pytest.mark.parametrize("held", ["plain text", b"", b"\x01short", b"\x00" * 60, b"\x01" + b"\x07" * 60])
async def test_foreign_cells(blog, held):
    """What no key of the field has sealed is an error, never a value; an empty cell is the empty value."""
    await blog.collection("notes", field("text", True))
    record = await blog.add("notes", secret="one")
    engine = blog.client.backend.engine
    if engine.is_networked and isinstance(held, str):
        held = held.encode()
    mark = engine.dialect.placeholder(1)
    await engine.write(lambda tx: tx.run(f"UPDATE notes SET {cell(blog, 'secret')} = {mark}", [held]))

    answer = await blog.view("notes", record["id"])

    if held == b"":
        assert answer.json["secret"] == ""
    else:
        assert answer.status == 500
        assert answer.error.code == "decryption_failed"
