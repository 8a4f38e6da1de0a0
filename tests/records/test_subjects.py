"""Values that are sealed with the keys of those whose they are, one key for each of them."""

from __future__ import annotations

import asyncio

import pytest

from undercroft.encryption.values import key_id_of
from undercroft.keys.changing import SetOf
from undercroft.keys.rotation import SubjectKeyStays, rotate_key

pytestmark = pytest.mark.anyio
OF_BUYER = {"search": "equality", "shred": "buyer"}
TEXT = {"name": "buyer", "type": "text", "required": True}
CARD = {"name": "card", "type": "text", "encrypted": OF_BUYER}
CODE = "validation_encrypted_field"


@pytest.fixture
async def shop(blog):
    """Orders, whose values are of a buyer; and people, whose diary is their own."""
    users = blog.client.backend.catalog.collection("users").id
    buyer = {"name": "buyer", "type": "relation", "collectionId": users, "required": True}
    note = {"name": "note", "type": "text", "encrypted": {"shred": "buyer"}, "required": True}
    await blog.collection("orders", buyer, CARD, note, {"name": "total", "type": "number"})
    await blog.collection("people", {"name": "diary", "type": "text", "encrypted": {"shred": "id"}})
    return blog


async def scopes(blog):
    rows = await blog.client.backend.engine.read('SELECT "scope" FROM "_subject_keys" ORDER BY "scope"')
    return [scope for (scope,) in rows]


async def key_ids(blog, name, table="orders"):
    """The keys that the cells of a field name, by record."""
    backend = blog.client.backend
    quote, column = backend.engine.dialect.quote, backend.catalog.collection(table).read_columns[name]
    rows = await backend.engine.read(f'SELECT "id", {quote(column)} FROM {table}')
    return {record: key_id_of(cell) if cell else None for record, cell in rows}


async def test_read_and_found_like_any_other(shop):
    """Values come back, and are looked up, whoever they are of."""
    await shop.add("orders", buyer=shop.ann_id, card="4111", note="one")
    await shop.add("orders", buyer=shop.ben_id, card="4222", note="two")

    found = await shop.list("orders", filter="card = '4222'", fields="note,card")

    assert found.json["items"] == [{"note": "two", "card": "4222"}]


async def test_one_key_for_each(shop):
    """All that is of one person is under one key, in whichever field, and nobody else's is."""
    one = await shop.add("orders", buyer=shop.ann_id, card="1", note="a")
    two = await shop.add("orders", buyer=shop.ann_id, card="2", note="b")
    other = await shop.add("orders", buyer=shop.ben_id, card="3", note="c")

    cards, notes = await key_ids(shop, "card"), await key_ids(shop, "note")

    assert cards == notes
    assert cards[one["id"]] == cards[two["id"]] != cards[other["id"]]
    users = shop.client.backend.catalog.collection("users").id
    assert await scopes(shop) == sorted([f"{users}/{shop.ann_id}", f"{users}/{shop.ben_id}"])


async def test_no_value_takes_no_key(shop):
    """For whom nothing is encrypted there is no key."""
    made = await shop.add("people", diary="")
    await shop.update("people", made["id"], {"diary": ""})

    assert await scopes(shop) == []


async def test_own_record(shop):
    """With `id` each record has a key of its own."""
    made = await shop.add("people", diary="dear diary")
    home = shop.client.backend.catalog.collection("people").id

    assert await scopes(shop) == [f"{home}/{made['id']}"]
    assert (await shop.view("people", made["id"])).json["diary"] == "dear diary"


async def test_text_names_a_tenant_everywhere(blog):
    """The same text is the same tenant in every collection."""
    for name in ("bills", "letters"):
        await blog.collection(name, TEXT, CARD)
        await blog.add(name, buyer="tenant 7", card="1")

    assert await scopes(blog) == ["/tenant 7"]


async def test_another_owner_takes_all_along(shop):
    """Whoever gets a record gets its values, under their key, in the same write."""
    made = await shop.add("orders", buyer=shop.ann_id, card="1", note="a")
    await shop.add("orders", buyer=shop.ben_id, card="2", note="b")
    before = await key_ids(shop, "card")

    moved = await shop.update("orders", made["id"], {"buyer": shop.ben_id})

    assert (moved.json["card"], moved.json["note"]) == ("1", "a")
    cards, notes = await key_ids(shop, "card"), await key_ids(shop, "note")
    assert set(cards.values()) == set(notes.values()) == set(before.values()) - {before[made["id"]]}


async def test_a_page_takes_one_more_statement(shop):
    """However many people a page is about, their keys are read in one statement, and then are here."""
    for number in range(30):
        await shop.add("people", diary=f"day {number}")
    backend = shop.client.backend
    backend.keyring._subjects.__init__()
    statements = []
    read = backend.engine.read

    async def counted(sql, values=()):
        statements.append(sql)
        return await read(sql, values)

    backend.engine.read = counted
    first = await shop.list("people", perPage=30, skipTotal=True)
    again = await shop.list("people", perPage=30, skipTotal=True)

    assert {item["diary"] for item in first.json["items"]} == {f"day {number}" for number in range(30)}
    assert first.json == again.json
    assert sum('"_subject_keys"' in sql for sql in statements) == 1


async def test_more_people_than_are_held(shop, monkeypatch):
    """A page about more people than keys are held still opens, and afterwards no more are held."""
    monkeypatch.setattr("undercroft.keys.subjects.MOST", 3)
    for number in range(8):
        await shop.add("people", diary=f"day {number}")

    shown = await shop.list("people", perPage=30)
    await shop.add("people", diary="one more")

    assert len(shown.json["items"]) == 8
    assert len(shop.client.backend.keyring._subjects._keys) == 3


async def test_expanded(shop):
    """Records that are shown beside others open too, and so do those that point back."""
    await shop.add("orders", buyer=shop.ann_id, card="1", note="a")
    shop.client.backend.keyring._subjects.__init__()

    shown = await shop.list("users", shop.root, expand="orders_via_buyer", filter=f"id = '{shop.ann_id}'")

    assert shown.json["items"][0]["expand"]["orders_via_buyer"][0]["card"] == "1"


async def test_batch(shop):
    """Several in one transaction, the first of somebody among them."""
    create = {"method": "POST", "url": "/api/collections/orders/records"}
    requests = [{**create, "body": {"buyer": shop.ann_id, "card": str(n), "note": "x"}} for n in range(3)]
    settings = await shop.client.patch("/api/settings", {"batch": {"enabled": True}}, as_=shop.root)

    answer = await shop.client.post("/api/batch", {"requests": requests})

    assert settings.status == 200
    assert [each["body"]["card"] for each in answer.json] == ["0", "1", "2"]
    assert len(await scopes(shop)) == 1


async def test_value_of_nobody(shop):
    """What is nobody's is refused, by the field that names whose it is."""
    answer = await shop.create("orders", {"card": "1", "note": "a"})

    assert answer.status == 400
    assert answer.json["data"]["buyer"]["code"] == "validation_required"


async def test_people_hear_of_it(shop):
    """Who listens is shown values, of a record that is gone as well."""
    async with shop.client.listen("orders/*", as_=shop.root) as listener:
        made = await shop.add("orders", buyer=shop.ann_id, card="1", note="a")
        shop.client.backend.keyring._subjects.__init__()
        await shop.delete("orders", made["id"])
        events = [(await listener.event()).json for _ in range(2)]

    assert [(event["action"], event["record"]["card"]) for event in events] == [("create", "1"), ("delete", "1")]


@pytest.mark.parametrize(
    ("owner", "option"),
    [
        ({"name": "other", "type": "text", "required": True}, {}),
        ({"name": "buyer", "type": "text"}, {}),
        ({"name": "buyer", "type": "number", "required": True}, {}),
        ({"name": "buyer", "type": "text", "required": True, "encrypted": True}, {}),
        ({"name": "buyer", "type": "relation", "maxSelect": 2, "required": True}, {}),
        (TEXT, {"algorithm": "AES-256-GCM-SIV"}),
        (TEXT, {"shred": "card"}),
    ],
    ids=["unknown", "may be empty", "number", "encrypted", "several", "algorithm", "itself"],
)
async def test_refused(blog, owner, option):
    """What cannot name whose values these are is refused when the collection is saved."""
    if owner["type"] == "relation":
        owner = {**owner, "collectionId": blog.client.backend.catalog.collection("users").id}
    fields = [owner, {**CARD, "encrypted": {**OF_BUYER, **option}}]

    answer = await blog.client.post("/api/collections", {"name": "bills", "fields": fields}, as_=blog.root)

    assert answer.status == 400
    assert answer.json["data"]["fields"]["2"]["encrypted"]["code"] == CODE, answer.text


async def test_unique_index_wants_a_condition(blog):
    """Values that are erased are empty, and many can be: a unique index has to leave out what is empty."""
    body = {"name": "bills", "fields": [TEXT, CARD], "indexes": ["CREATE UNIQUE INDEX one ON bills (card)"]}

    refused = await blog.client.post("/api/collections", body, as_=blog.root)
    body["indexes"] = ["CREATE UNIQUE INDEX one ON bills (card) WHERE card != ''"]
    taken = await blog.client.post("/api/collections", body, as_=blog.root)

    assert (refused.status, taken.status) == (400, 200)


async def test_owner_is_renamed(shop):
    """Whose values these are is known by the field, whatever it is called."""
    made = await shop.add("orders", buyer=shop.ann_id, card="1", note="a")
    old = (await shop.client.get("/api/collections/orders", as_=shop.root)).json
    fields = [
        {**field, "name": "client"} if field["name"] == "buyer" else {**field, **_with_owner(field, "client")}
        for field in old["fields"]
    ]

    answer = await shop.client.patch("/api/collections/orders", {"fields": fields}, as_=shop.root)
    changed = await shop.update("orders", made["id"], {"card": "2"})

    assert answer.status == 200, answer.text
    assert (changed.json["card"], changed.json["note"]) == ("2", "a")
    assert len(await scopes(shop)) == 1


def _with_owner(field, name):
    return {"encrypted": {**field["encrypted"], "shred": name}} if field.get("encrypted") else {}


async def test_files_are_not_of_people(blog):
    """A file field takes no such option."""
    paper = {"name": "paper", "type": "file", "encrypted": {"shred": "buyer"}}

    answer = await blog.client.post("/api/collections", {"name": "bills", "fields": [TEXT, paper]}, as_=blog.root)

    assert answer.status == 400


async def test_first_values_at_once(blog):
    """Whoever comes first makes the key, and there is one, however many come at once."""
    await blog.collection("bills", TEXT, CARD)

    answers = await asyncio.gather(*(blog.create("bills", {"buyer": "a", "card": f"{n}"}) for n in range(20)))

    assert {answer.status for answer in answers} == {200}
    assert await scopes(blog) == ["/a"]
    assert {item["card"] for item in (await blog.list("bills")).json["items"]} == {f"{n}" for n in range(20)}


async def test_keys_of_people_do_not_turn(blog):
    """They go with whose they are."""
    await blog.collection("bills", TEXT, CARD)
    await blog.add("bills", buyer="a", card="1")
    backend = blog.client.backend

    with pytest.raises(SubjectKeyStays):
        await rotate_key(SetOf(backend.engine, backend.keyring, "subject", "/a"))
