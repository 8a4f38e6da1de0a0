"""Encrypted fields: stored as bytes that tell nothing, read and looked up like any other."""

from __future__ import annotations

import pytest

SEARCHED = {"search": "equality"}
VALUES = {
    "title": "Zebra crossing ✓",
    "body": "<p>quite secret</p>",
    "mail": "Ann@Example.com",
    "site": "https://example.com/a",
    "amount": 12.5,
    "due": "2024-05-06 07:08:09.000Z",
    "meta": {"a": [1, 2.5, None], "b": "x"},
    "kind": "blue",
    "tags": ["red", "blue"],
}
EMPTY = {
    **dict.fromkeys(("title", "body", "mail", "site", "due", "kind"), ""),
    "amount": 0,
    "meta": None,
    "tags": [],
}
CHOICES = {"type": "select", "values": ["red", "blue"]}


def sealed(name, kind, **options):
    return {"name": name, "type": kind, "encrypted": True, **options}


FIELDS = (
    sealed("title", "text"),
    sealed("body", "editor"),
    sealed("mail", "email"),
    sealed("site", "url"),
    sealed("amount", "number"),
    sealed("due", "date"),
    sealed("meta", "json"),
    {"name": "kind", "encrypted": True, **CHOICES},
    {"name": "tags", "encrypted": True, "maxSelect": 2, **CHOICES},
)


@pytest.fixture
async def vault(blog):
    """A collection with a field of every type that can be encrypted, each encrypted."""
    await blog.collection("secrets", *FIELDS, {"name": "note", "type": "text"})
    return blog


@pytest.fixture
async def people(blog):
    """Three people with encrypted addresses and phones that can be looked up."""
    await blog.collection(
        "people",
        {"name": "mail", "type": "email", "encrypted": {**SEARCHED, "normalize": "email"}},
        {"name": "phone", "type": "text", "encrypted": {**SEARCHED, "normalize": "digits"}},
        {"name": "age", "type": "number", "encrypted": SEARCHED},
        {"name": "born", "type": "date", "encrypted": SEARCHED},
        {"name": "diary", "type": "text", "encrypted": True},
        {"name": "rank", "type": "number"},
        indexes=["CREATE UNIQUE INDEX one_mail ON people (mail) WHERE mail != ''"],
    )
    await blog.add("people", mail="Ann@Example.com", phone="+49 (30) 123", age=31, born="2001-02-03", rank=1, diary="d")
    await blog.add("people", mail="ben@example.com", phone="49 30 123", age=0, rank=2)
    await blog.add("people", age=31, rank=3)
    return blog


async def ranks(blog, text, name="people", **query):
    answer = await blog.list(name, filter=text, sort="rank", **query)
    assert answer.status == 200, answer.text
    return [item["rank"] for item in answer.json["items"]]


async def cells(blog, column, table="secrets"):
    """What the table really holds."""
    backend = blog.client.backend
    quote, column = backend.engine.dialect.quote, backend.catalog.collection(table).read_columns[column]
    return [row[0] for row in await backend.engine.read(f"SELECT {quote(column)} FROM {quote(table)}")]


async def test_values_come_back(vault):
    """What was stored encrypted is read as it was, in a list, by itself and in the answer to a write."""
    made = await vault.create("secrets", VALUES, vault.root)
    listed = (await vault.list("secrets")).json["items"][0]
    viewed = (await vault.view("secrets", listed["id"])).json

    for record in (made.json, listed, viewed):
        assert {name: record[name] for name in VALUES} == VALUES


async def test_nothing_is_stored_in_clear(vault):
    """Every encrypted column holds bytes, or nothing where the value is empty."""
    await vault.create("secrets", VALUES)

    for name in VALUES:
        (cell,) = await cells(vault, name)
        assert isinstance(cell, bytes), name
        assert cell[0] == 1
        assert len(cell) > 33


async def test_empty_values(vault):
    """An empty value is no cell at all, and reads as the empty value of its type."""
    made = await vault.create("secrets", {"note": "n"})

    assert {name: made.json[name] for name in EMPTY} == EMPTY
    assert {name: (await vault.view("secrets", made.json["id"])).json[name] for name in EMPTY} == EMPTY
    assert [await cells(vault, name) for name in EMPTY] == [[None]] * len(EMPTY)


async def test_updates(vault):
    """An update changes what it names and seals nothing anew that stays; modifiers work on the value."""
    made = (await vault.create("secrets", VALUES)).json
    before = {name: await cells(vault, name) for name in VALUES}

    changed = await vault.update("secrets", made["id"], {"title": "other", "amount+": 1, "tags-": "red"})

    assert (changed.json["title"], changed.json["amount"], changed.json["tags"]) == ("other", 13.5, ["blue"])
    after = {name: await cells(vault, name) for name in VALUES}
    assert {name for name in VALUES if before[name] != after[name]} == {"title", "amount", "tags"}


async def test_only_some_fields(vault):
    """A list of some keys opens them too, with and without the id among them."""
    await vault.create("secrets", VALUES)

    assert (await vault.list("secrets", fields="title")).json["items"] == [{"title": VALUES["title"]}]
    assert (await vault.list("secrets", fields="note,amount")).json["items"] == [{"amount": 12.5, "note": ""}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail = 'ann@EXAMPLE.com'", [1]),
        ("mail ?= ' ann@example.com'", [1]),
        ("mail != 'ann@example.com'", [2, 3]),
        ("mail = ''", [3]),
        ("mail != ''", [1, 2]),
        ("'ann@example.com' = mail", [1]),
        ("phone = '4930-123'", [1, 2]),
        ("age = 31", [1, 3]),
        ("age = 0", [2]),
        ("age = '31'", [1, 3]),
        ("age = 'thirty'", []),
        ("age != 31", [2]),
        ("born = '2001-02-03 00:00:00.000Z'", [1]),
        ("diary = ''", [2, 3]),
        ("diary != null", [1]),
        ("mail = 'ann@example.com' || rank = 3", [1, 3]),
        ("mail = mail", [1, 2, 3]),
    ],
)
async def test_looking_up(people, text, expected):
    """An encrypted field is found by its value, in the spellings that its option makes one."""
    assert await ranks(people, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(f"mail {operator} 'a'" for operator in ("~", "!~", ">", ">=", "<", "<=", "?~", "?!~", "?>", "?<")),
        "diary = 'd'",
        "mail:lower = 'ann@example.com'",
        "mail:length = 3",
        "mail = diary",
        "mail = phone",
        "mail = id",
        "mail.part = 'x'",
        "strftime('%Y', born) = '2001'",
        "geoDistance(age, 1, 2, 3) > 1",
    ],
)
async def test_what_cannot_be_asked(people, text):
    """Whatever else is asked of an encrypted field is refused in a sentence with its name, for everybody."""
    for who in ("", people.ann, people.root):
        answer = await people.list("people", who, filter=text)

        assert (answer.status, answer.error.code) == (400, "field_is_encrypted"), answer.text
        assert any(repr(name) in answer.error.message for name in ("mail", "diary", "born", "age"))


@pytest.mark.parametrize("key", ["mail", "-age", "diary"])
async def test_no_sorting(people, key):
    """Nothing is sorted by an encrypted field."""
    answer = await people.list("people", sort=key)

    assert (answer.status, answer.error.code) == (400, "invalid_sort")
    assert "is encrypted" in answer.error.message


@pytest.mark.parametrize("query", [{"fields": "sum(age)"}, {"groupBy": "mail"}, {"fields": "max(born)"}])
async def test_no_sums(people, query):
    """Nothing is counted or summed up by an encrypted field."""
    answer = await people.client.get("/api/collections/people/aggregate", as_=people.root, **query)

    assert answer.status == 400
    assert "is encrypted" in answer.error.message


async def test_rules(blog):
    """A rule looks an encrypted field up, for records that are there and for one to be."""
    own = "owner = @request.auth.email"
    mail = {"name": "owner", "type": "email", "encrypted": {**SEARCHED, "normalize": "email"}}
    await blog.collection("notes", mail, text("body"), listRule=own, createRule=own, updateRule=own)
    mine = await blog.create("notes", {"owner": "ANN@example.com", "body": "a"}, blog.ann)
    await blog.add("notes", owner="ben@example.com", body="b")

    assert mine.status == 200, mine.text
    assert (await blog.create("notes", {"owner": "ben@example.com"}, blog.ann)).status == 400
    assert [item["body"] for item in (await blog.list("notes", blog.ann)).json["items"]] == ["a"]
    assert (await blog.update("notes", mine.json["id"], {"body": "c"}, blog.ben)).status == 404


def text(name):
    return {"name": name, "type": "text"}


@pytest.mark.parametrize("rule", ["mail ~ 'x'", "diary = 'd'", "mail > 'a'", "mail = phone", "diary:length > 1"])
async def test_rules_that_cannot_work(people, rule):
    """A rule that asks what cannot be asked is refused when it is saved, here and over a relation."""
    answer = await people.change("people", listRule=rule)
    home = (await people.client.get("/api/collections/people", as_=people.root)).json
    relation = {"name": "who", "type": "relation", "collectionId": home["id"]}
    body = {
        "name": "others",
        "type": "base",
        "fields": [relation],
        "listRule": f"who.{rule}".replace("= ph", "= who.ph"),
    }
    beside = await people.client.post("/api/collections", body, as_=people.root)

    assert answer.status == 400
    assert "is encrypted" in answer.error.data["listRule"]["message"]
    assert beside.status == 400
    assert "is encrypted" in beside.error.data["listRule"]["message"]


async def test_uniqueness(people):
    """A unique index holds over all spellings of a value, as for a plain field; the empty value is nobody's."""
    again = await people.create("people", {"mail": "ANN@example.com"})
    moved = await people.update(
        "people", (await people.ids("people", filter="rank = 2"))[0], {"mail": "ann@example.com"}
    )
    empty = await people.create("people", {"rank": 9})

    for answer in (again, moved):
        assert answer.status == 400
        assert answer.json["data"] == {"mail": {"code": "validation_not_unique", "message": "Value must be unique."}}
    assert empty.status == 200


async def test_over_relations(people):
    """An encrypted field is looked up over a relation, forwards and backwards, and read in an expand."""
    home = (await people.client.get("/api/collections/people", as_=people.root)).json
    relation = {"name": "who", "type": "relation", "collectionId": home["id"], "maxSelect": 5}
    await people.collection("orders", relation, {"name": "rank", "type": "number"})
    one, two, _ = await people.ids("people", sort="rank")
    await people.add("orders", who=[one, two], rank=1)
    await people.add("orders", who=[two], rank=2)

    assert await ranks(people, "who.mail ?= 'ann@example.com'", "orders") == [1]
    assert await ranks(people, "who.mail = 'ben@example.com'", "orders") == [2]
    assert await ranks(people, "orders_via_who.who.mail ?= 'ann@example.com'") == [1, 2]
    shown = (await people.list("orders", sort="rank", expand="who")).json["items"][0]["expand"]["who"]
    assert [record["mail"] for record in shown] == ["Ann@Example.com", "ben@example.com"]
    back = (await people.list("people", sort="rank", expand="orders_via_who.who")).json["items"][0]
    assert back["expand"]["orders_via_who"][0]["expand"]["who"][0]["diary"] == "d"


async def test_hidden_stays_hidden(blog):
    """Who may not see an encrypted field is told that it does not exist, as of a plain one."""
    await blog.collection("files", {"name": "code", "type": "text", "hidden": True, "encrypted": SEARCHED})
    made = await blog.add("files", code="sesame")

    assert "code" not in (await blog.view("files", made["id"])).json
    answer = await blog.list("files", filter="code = 'sesame'")
    assert (answer.status, answer.error.code) == (400, "unknown_field")
    assert (await blog.list("files", blog.root, filter="code = 'sesame'")).json["totalItems"] == 1


async def test_accounts_with_encrypted_addresses(blog):
    """Accounts whose address is encrypted sign in, are unique, and show it to whom they always did."""
    mail = {"name": "email", "type": "email", "encrypted": {**SEARCHED, "normalize": "email"}}
    made = await blog.collection("members", mail, type="auth")
    account = {"email": "Cy@Example.com", "password": "password-1", "passwordConfirm": "password-1"}
    await blog.add("members", **account)
    token = await blog.client.login("members", "cy@example.com", "password-1")

    assert made["fields"]
    assert [item.get("email") for item in (await blog.list("members", token)).json["items"]] == ["Cy@Example.com"]
    assert "email" not in (await blog.list("members")).json["items"][0]
    assert (await blog.create("members", account | {"email": "CY@example.com"})).status == 400
    assert (await blog.list("members", filter="email = 'cy@example.com'")).json["totalItems"] == 0
    assert (await blog.list("members", blog.root, filter="email = 'cy@example.com'")).json["totalItems"] == 1


async def test_token_keys_are_encrypted(blog):
    """The key in the tokens of an account is never in clear, though nobody asked for it; tokens work."""
    found = await cells(blog, "tokenKey", "users")

    assert all(isinstance(cell, bytes) for cell in found)
    assert (await blog.client.post("/api/collections/users/auth-refresh", as_=blog.ann)).status == 200
