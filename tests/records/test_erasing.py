"""People and tenants are erased by their keys: nothing of theirs is readable, and all the rest goes on."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from undercroft.app import App
from undercroft.collections.cipher import cipher_of
from undercroft.testing import TestClient

pytestmark = pytest.mark.anyio
OF_BUYER = {"search": "equality", "shred": "buyer"}
CARD = {"name": "card", "type": "text", "encrypted": OF_BUYER}
UNIQUE = ["CREATE UNIQUE INDEX one_card ON orders (card) WHERE card != ''"]


@pytest.fixture
async def shop(blog):
    """Two orders of Ann, one of Ben, and an account with a secret of its own."""
    users = blog.client.backend.catalog.collection("users").id
    buyer = {"name": "buyer", "type": "relation", "collectionId": users, "required": True}
    note = {"name": "note", "type": "text", "encrypted": {"shred": "buyer"}, "required": True}
    await blog.collection("orders", buyer, CARD, note, {"name": "total", "type": "number"}, indexes=UNIQUE)
    await blog.add("orders", buyer=blog.ann_id, card="4111", note="to Ann", total=1)
    await blog.add("orders", buyer=blog.ann_id, card="4112", note="again", total=2)
    await blog.add("orders", buyer=blog.ben_id, card="4222", note="to Ben", total=3)
    return blog


async def erase(blog, subject, **query):
    return await blog.client.delete(f"/api/encryption/subjects/{subject}", as_=blog.root, **query)


async def orders(blog, **query):
    answer = await blog.list("orders", sort="total", fields="card,note,total", **query)
    assert answer.status == 200, answer.text
    return [(item["card"], item["note"], item["total"]) for item in answer.json["items"]]


async def test_values_are_empty_and_lists_go_on(shop):
    """What was of who is erased is empty; nothing else is touched."""
    answer = await erase(shop, shop.ann_id)

    assert answer.status == 200, answer.text
    assert await orders(shop) == [("", "", 1), ("", "", 2), ("4222", "to Ben", 3)]
    assert await orders(shop, filter="card = ''") == [("", "", 1), ("", "", 2)]
    assert await orders(shop, filter="card = '4111'") == []
    assert await orders(shop, filter="card != '4111'") == await orders(shop)


async def test_the_key_is_gone(shop):
    """The wrapped key is in no row, and neither are cells and fingerprints."""
    read = shop.client.backend.engine.read
    users = shop.client.backend.catalog.collection("users").id
    await erase(shop, shop.ann_id)

    rows = await read('SELECT "scope", "state", "wrapped" FROM "_subject_keys" ORDER BY "state"')

    assert [(scope, state, bool(wrapped)) for scope, state, wrapped in rows] == [
        (f"{users}/{shop.ann_id}", "destroyed", False),
        (f"{users}/{shop.ben_id}", "enabled", True),
    ]
    cell = shop.client.backend.catalog.collection("orders").read_columns["card"]
    cells = await read(f'SELECT count("{cell}") FROM "orders"')
    assert cells == [(1,)]


async def test_receipt_can_be_verified_by_anybody(shop):
    """The receipt is signed, over the JSON of all the rest with sorted keys."""
    answer = await erase(shop, shop.ann_id)
    receipt = answer.json["receipt"]

    signature, told = b64decode(receipt["signature"]), {k: v for k, v in receipt.items() if k != "signature"}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    Ed25519PublicKey.from_public_bytes(b64decode(receipt["publicKey"])).verify(signature, text.encode())
    assert receipt["subject"] == shop.ann_id
    assert sorted(receipt["values"].values()) == [2, 2]
    assert receipt["by"].startswith("superuser ")


async def test_again(shop):
    """Who is erased stays it: the same receipt again."""
    first = await erase(shop, shop.ann_id)
    again = await erase(shop, shop.ann_id)
    listed = await shop.client.get("/api/encryption/subjects", as_=shop.root)

    assert again.json == first.json
    assert listed.json == [first.json]
    assert first.json["collectionName"] == "users"


async def test_nobody(shop):
    """For whom nothing was encrypted there is nothing to erase; and only superusers may."""
    unknown = await erase(shop, "nobody000000000")
    guest = await shop.client.delete(f"/api/encryption/subjects/{shop.ann_id}", as_=shop.ann)

    assert unknown.status == 404
    assert guest.status == 403
    assert len(await orders(shop, filter="card != ''")) == 3


async def test_records_of_the_erased_go_on(shop):
    """What is left of a record can be changed, but nothing is encrypted for who was erased; others can have it."""
    await erase(shop, shop.ann_id)
    record = (await shop.list("orders", sort="total")).json["items"][0]["id"]

    changed = await shop.update("orders", record, {"total": 0})
    refused = await shop.update("orders", record, {"note": "back"})
    new = await shop.create("orders", {"buyer": shop.ann_id, "note": "x"})
    given = await shop.update("orders", record, {"buyer": shop.ben_id, "note": "Ben's"})

    assert (changed.status, changed.json["note"]) == (200, "")
    assert (refused.status, refused.json["data"]["note"]["code"]) == (400, "validation_subject_erased")
    assert new.json["data"]["note"]["code"] == "validation_subject_erased"
    assert (given.json["note"], given.json["card"]) == ("Ben's", "")


async def test_a_value_of_the_erased_is_free_again(shop):
    """A unique index forgets whose values it held apart."""
    await erase(shop, shop.ann_id)

    await shop.add("orders", buyer=shop.ben_id, card="4111", note="mine now")


async def test_own_record_of_an_account(blog):
    """With `id` an account's own fields are its own, and go with orders of the same person."""
    old = (await blog.client.get("/api/collections/users", as_=blog.root)).json
    secret = {"name": "phone", "type": "text", "encrypted": {"shred": "id"}}
    answer = await blog.client.patch("/api/collections/users", {"fields": [*old["fields"], secret]}, as_=blog.root)
    assert answer.status == 200, answer.text
    buyer = {"name": "buyer", "type": "relation", "collectionId": old["id"], "required": True}
    await blog.collection("orders", buyer, CARD)
    await blog.add("orders", buyer=blog.ann_id, card="1")
    await blog.update("users", blog.ann_id, {"phone": "123"}, blog.root)

    receipt = (await erase(blog, blog.ann_id)).json["receipt"]

    assert len(receipt["keys"]) == 1
    assert len(receipt["values"]) == 2
    assert (await blog.view("users", blog.ann_id, blog.root)).json["phone"] == ""


async def test_one_id_in_two_collections(blog):
    """Where two collections have a record of that id it is said which one is meant."""
    field = {"name": "diary", "type": "text", "encrypted": {"shred": "id"}}
    for name in ("people", "pets"):
        await blog.collection(name, field)
        await blog.add(name, id="same00000000000", diary="x")

    vague = await erase(blog, "same00000000000")
    clear = await erase(blog, "same00000000000", collection="pets")

    assert vague.status == 409
    assert clear.json["collectionName"] == "pets"
    assert (await blog.view("people", "same00000000000")).json["diary"] == "x"
    assert (await blog.view("pets", "same00000000000")).json["diary"] == ""


async def test_who_listens_hears_of_it(shop):
    """Records that changed are told of, as they are now."""
    async with shop.client.listen("orders/*", as_=shop.root) as listener:
        await erase(shop, shop.ann_id)
        events = [(await listener.event()).json for _ in range(2)]

    assert {event["action"] for event in events} == {"update"}
    assert {event["record"]["card"] for event in events} == {""}


async def test_nothing_is_held_of_the_erased(shop):
    """What was opened lately is held, of everybody, and let go of as soon as somebody is erased."""
    assert await orders(shop) == [("4111", "to Ann", 1), ("4112", "again", 2), ("4222", "to Ben", 3)]
    collection = shop.client.backend.catalog.collection("orders")
    fields = [cipher_of(collection).by_name[name] for name in ("card", "note")]
    held = [sorted(field.opened().values()) for field in fields]

    await erase(shop, shop.ann_id)

    assert held == [["4111", "4112", "4222"], ["again", "to Ann", "to Ben"]]
    assert [field.opened() for field in fields] == [{}, {}]
    assert await orders(shop) == [("", "", 1), ("", "", 2), ("4222", "to Ben", 3)]
    assert [sorted(field.opened().values()) for field in fields] == [["4222"], ["to Ben"]]


async def test_a_process_that_has_not_heard(tmp_path, database):
    """Another process, with the key in its memory, shows nothing from the moment on."""
    apps = [App(tmp_path / "data", database=database, shared=True) for _ in range(2)]
    for app in apps:
        await app.start()
    first, second = map(TestClient, apps)
    try:
        root = await first.superuser()
        fields = [{"name": "diary", "type": "text", "encrypted": {"shred": "id"}}]
        body = {"name": "people", "fields": fields, "listRule": "", "createRule": ""}
        assert (await first.post("/api/collections", body, as_=root)).status == 200
        await apps[1]._company.freshness.catch_up()
        made = await second.post("/api/collections/people/records", {"diary": "dear"})
        held = second.backend.keyring._subjects
        apps[1]._company.freshness.catch_up = _nothing
        assert (await first.delete(f"/api/encryption/subjects/{made.json['id']}", as_=root)).status == 200

        shown = await second.get("/api/collections/people/records")

        assert held._keys
        assert [item["diary"] for item in shown.json["items"]] == [""]
    finally:
        for app in reversed(apps):
            await app.stop()


async def _nothing():
    pass
