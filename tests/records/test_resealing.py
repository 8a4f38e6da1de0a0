"""Values of encrypted fields that come along: into cells, out of them, under other keys and into other indexes."""

from __future__ import annotations

import asyncio

import pytest
from coming_along import held, settle

from undercroft.collections.pieces import pieces_of
from undercroft.encryption.values import key_id_of
from undercroft.keys.audit import list_entries
from undercroft.keys.changing import SetOf, disable_key
from undercroft.keys.rotation import rotate_key
from undercroft.records.reseal_rows import Follower
from undercroft.records.resealings import begin_resealing

SEARCHED = {"search": "equality"}
KINDS = {
    "title": ({"type": "text"}, ["", "Zebra ✓", "b"]),
    "body": ({"type": "editor"}, ["<p>a</p>", "", "<p>b</p>"]),
    "mail": ({"type": "email"}, ["Ann@Example.com", "", "ben@example.com"]),
    "site": ({"type": "url"}, ["https://example.com/a", "", ""]),
    "amount": ({"type": "number"}, [0, 12.5, -3]),
    "due": ({"type": "date"}, ["", "2024-05-06 07:08:09.123Z", "0001-01-01 00:00:00.000Z"]),
    "meta": ({"type": "json"}, [{"b": [1, 2.5, None], "a": "x"}, None, [0]]),
    "kind": ({"type": "select", "values": ["red", "blue"]}, ["red", "", "blue"]),
    "tags": ({"type": "select", "values": ["red", "blue"], "maxSelect": 2}, [["red", "blue"], [], ["blue"]]),
}


class Shelf:
    """A collection that is encrypted and decrypted, with its records."""

    def __init__(self, blog):
        self.blog = blog
        self.backend = blog.client.backend
        self.engine = self.backend.engine

    @property
    def collection(self):
        return self.backend.catalog.collection("notes")

    async def set(self, **encrypted):
        """Change the options of fields."""
        answer = await self.ask(**encrypted)
        assert answer.status == 200, answer.text

    async def ask(self, **encrypted):
        fields = (await self.blog.client.get("/api/collections/notes", as_=self.blog.root)).json["fields"]
        for field in fields:
            if field["name"] in encrypted:
                field["encrypted"] = encrypted[field["name"]]
        return await self.blog.change("notes", fields=fields)

    async def records(self):
        return (await self.blog.list("notes", sort="id", perPage=500)).json["items"]

    async def column(self, name, number=None):
        """What the table has of a field: its cells, or an index."""
        field = self.collection.by_name[name]
        column = self.collection.read_columns[name] if number is None else f"{field.id}~{number}"
        return [row[0] for row in await self.engine.read(f'SELECT "{column}" FROM notes ORDER BY "id"')]

    async def columns(self):
        rows = await self.engine.read(self.engine.dialect.schema_questions().columns, ["notes"])
        return {str(row[0]) for row in rows} - {"_rowid_"}

    async def run(self, sql, *values):
        await self.engine.write(lambda tx: tx.run(sql, values))

    def piece(self):
        """What is under way, if that is one piece."""
        (piece,) = pieces_of(self.backend.catalog)
        return piece

    async def begin(self):
        """Have a row for it, before anybody works on it; its path."""
        piece, dialect = self.piece(), self.engine.dialect
        await self.engine.write(lambda tx: begin_resealing(tx, dialect, piece))
        (row,) = [row for row in await self.work() if row["kind"] == piece.kind]
        return f"/api/encryption/work/{row['id']}"

    async def post(self, path):
        return await self.blog.client.post(path, as_=self.blog.root)

    async def work(self):
        answer = await self.blog.client.get("/api/encryption/work", as_=self.blog.root)
        assert answer.status == 200, answer.text
        return answer.json


@pytest.fixture
async def shelf(blog):
    """Three records with a field of every kind that can be encrypted, in clear."""
    await blog.collection("notes", *({"name": name, **options} for name, (options, _) in KINDS.items()))
    for number in range(3):
        await blog.add("notes", **{name: values[number] for name, (_, values) in KINDS.items()})
    return Shelf(blog)


@pytest.fixture
async def people(blog):
    """Forty people with addresses that can be looked up and are unique, encrypted."""
    mail = {"name": "mail", "type": "email", "encrypted": {**SEARCHED, "normalize": "exact"}}
    index = "CREATE UNIQUE INDEX one_mail ON notes (mail) WHERE mail != ''"
    await blog.collection("notes", mail, {"name": "rank", "type": "number"}, indexes=[index])
    for number in range(40):
        await blog.add("notes", mail=f"person{number}@example.com" if number else "", rank=number)
    return Shelf(blog)


async def test_there_and_back(shelf):
    """Every kind of value that is there is encrypted and decrypted again, and reads the same all along."""
    before = await shelf.records()

    await shelf.set(**dict.fromkeys(KINDS, True))
    assert {row.state for row in await settle(shelf.backend)} == {"done"}
    assert await shelf.records() == before
    assert not await shelf.columns() & KINDS.keys()
    for name in KINDS:
        assert all(cell is None or cell[0] == 1 for cell in await shelf.column(name))

    await shelf.set(**dict.fromkeys(KINDS, False))
    assert {row.state for row in await settle(shelf.backend)} == {"done"}
    assert await shelf.records() == before
    assert await shelf.columns() == {"id", *KINDS}


async def test_nobody_hears_of_it(shelf):
    """Records stay the same, so neither the change log nor hooks are told."""
    called = []
    shelf.blog.client.app.on.record_update()(called.append)
    before = await shelf.engine.read("""SELECT count(*) FROM "_changes" WHERE "kind" = 'record'""")

    await shelf.set(title=True)
    await settle(shelf.backend)

    assert await shelf.engine.read("""SELECT count(*) FROM "_changes" WHERE "kind" = 'record'""") == before
    assert not called


async def test_look_ups_come_with_it(shelf):
    """While a field is on its way it is compared as a plain one, and then by its fingerprints."""
    async with held(shelf.blog.client) as look:
        await shelf.set(mail={**SEARCHED, "normalize": "email"})
        exact = await shelf.blog.list("notes", filter="mail = 'Ann@Example.com'")
        other = await shelf.blog.list("notes", filter="mail = 'ann@example.com'")
        await look()
        turned = await shelf.blog.list("notes", filter="mail = 'ann@example.com'")
        empty = await shelf.blog.list("notes", filter="mail = ''")

    assert [answer.json["totalItems"] for answer in (exact, other, turned, empty)] == [1, 0, 1, 1]


async def test_writes_on_the_way(people):
    """Records that are made, changed and deleted on the way are as they were written, whoever wrote them how."""
    async with held(people.blog.client) as look:
        await people.set(mail=False)
        ids = await people.blog.ids("notes", sort="rank", perPage=100)
        await people.blog.update("notes", ids[1], {"mail": "new@example.com"}, people.blog.root)
        await people.blog.delete("notes", ids[2], people.blog.root)
        await people.blog.add("notes", mail="made@example.com", rank=99)
        field_id = people.collection.by_name["mail"].id
        await people.run(f"""UPDATE notes SET "{field_id}~sealed" = NULL WHERE rank = 3""")
        await look()
    mails = {record["rank"]: record["mail"] for record in await people.records()}

    assert (mails[1], mails[99], mails[3], mails[4]) == (
        "new@example.com",
        "made@example.com",
        "",
        "person4@example.com",
    )
    assert 2 not in mails


async def test_a_changed_row_is_not_overwritten(people):
    """What is put in place of a row goes nowhere when the row has another value by then."""
    async with held(people.blog.client):
        await people.set(mail=False)
        follower = Follower.of(people.collection, people.piece(), people.engine.dialect)
        rows = await follower.read(people.engine.read, 0, 3)
        await people.blog.update("notes", rows[0].id, {"mail": "faster@example.com"}, people.blog.root)
        put = await people.engine.write(lambda tx: follower.put(tx, follower.prepare(rows)))
    mails = {record["id"]: record["mail"] for record in await people.records()}
    stored = dict(await people.engine.read('SELECT "id", mail FROM notes'))

    assert len(rows) == 3
    assert put == 2
    assert stored[rows[0].id] == mails[rows[0].id] == "faster@example.com"


@pytest.mark.parametrize("options", [{"algorithm": "AES-256-GCM-SIV"}, {"pad": 64}])
async def test_sealed_in_another_way(people, options):
    """Another algorithm or padding makes a new key, and every value is sealed anew under it."""
    before, old = await people.records(), {key_id_of(cell) for cell in await people.column("mail") if cell}
    await people.set(mail={**SEARCHED, **options})
    await settle(people.backend)
    cells = [cell for cell in await people.column("mail") if cell]

    assert await people.records() == before
    assert old.isdisjoint(map(key_id_of, cells))
    assert len(cells) == 39
    if "pad" in options:
        assert {(len(cell) - 33) % 64 for cell in cells} == {0}


async def test_new_spellings(people):
    """Another way to compare is filled beside the old one, which serves until all have come along."""
    async with held(people.blog.client) as look:
        await people.set(mail={**SEARCHED, "normalize": "casefold"})
        before = await people.blog.list("notes", filter="mail = 'PERSON7@example.com'")
        again = await people.blog.create("notes", {"mail": "person7@example.com"}, people.blog.root)
        await look()
        after = await people.blog.list("notes", filter="mail = 'PERSON7@example.com'")
        unique = await people.blog.create("notes", {"mail": "PERSON7@example.com"}, people.blog.root)

    assert [answer.json["totalItems"] for answer in (before, after)] == [0, 1]
    assert [answer.status for answer in (again, unique)] == [400, 400]
    assert unique.json["data"]["mail"]["code"] == "validation_not_unique"


async def test_values_that_clash(people):
    """Values that would be one stop the work, which names their records; it goes on once they differ."""
    other = await people.blog.add("notes", mail="PERSON7@example.com", rank=100)
    (first,) = await people.blog.ids("notes", filter="rank = 7")
    async with held(people.blog.client) as look:
        await people.set(mail={**SEARCHED, "normalize": "casefold"})
        await look()
        (failed,) = [row for row in await people.work() if row["kind"] == "index"]
        still = await people.blog.list("notes", filter="mail = 'person7@example.com'")
        await people.blog.update("notes", other["id"], {"mail": "else@example.com"}, people.blog.root)
        path = f"/api/encryption/work/{failed['id']}/resume"
        resumed = await people.blog.client.post(path, as_=people.blog.root)
        await look()

    assert (failed["state"], failed["error"]["code"]) == ("failed", "values_clash")
    assert [sorted(each) for each in failed["error"]["records"]] == [sorted([first, other["id"]])]
    assert "@" not in str(failed["error"])
    assert still.json["totalItems"] == 1
    assert resumed.json["state"] == "waiting"
    assert {row["state"] for row in await people.work()} == {"done"}
    found = await people.blog.list("notes", filter="mail = 'Person7@Example.com'")
    assert [item["id"] for item in found.json["items"]] == [first]


async def test_given_up(people):
    """Taking the option back gives work up that clashed, and leaves everything as it was."""
    await people.blog.add("notes", mail="PERSON7@example.com", rank=100)
    before, columns = await people.records(), await people.columns()
    async with held(people.blog.client) as look:
        await people.set(mail={**SEARCHED, "normalize": "casefold"})
        await look()
        refused = await people.ask(mail={**SEARCHED, "normalize": "email"})
        await people.set(mail=SEARCHED)
        await look()

    assert refused.status == 400
    assert await people.work() == []
    assert await people.columns() == columns
    assert await people.records() == before


async def test_a_value_that_stays_shut(people):
    """A cell that does not open stops the work in the end, which names its record; all others are done."""
    cell = people.collection.read_columns["mail"]
    mark = people.engine.dialect.placeholder(1, "bytes")
    await people.run(f'UPDATE notes SET "{cell}" = {mark} WHERE rank = 5', b"\x01" + b"\x07" * 60)
    (broken,) = await people.blog.ids("notes", filter="rank = 5", fields="id")
    async with held(people.blog.client) as look:
        await people.set(mail={**SEARCHED, "pad": 16})
        await look()
        (row,) = await people.work()

    assert (row["state"], row["error"]["code"], row["error"]["records"]) == ("failed", "values_shut", [[broken]])
    assert len({key_id_of(cell) for cell in await people.column("mail") if cell and cell[1] != 7}) == 1
    assert row["done"] == 38


async def test_paused(people):
    """Work that is paused stands still until it is resumed, and says so; what is done cannot be paused."""
    async with held(people.blog.client) as look:
        await people.set(mail={**SEARCHED, "normalize": "casefold"})
        path = await people.begin()
        paused = await people.post(f"{path}/pause")
        await look()
        (still,) = await people.work()
        again, resumed = await people.post(f"{path}/pause"), await people.post(f"{path}/resume")
        await look()
        (done,) = await people.work()

    assert (paused.json["state"], still["state"], still["done"]) == ("paused", "paused", 0)
    assert (again.status, again.error.code) == (409, "resealing_not_moved")
    assert resumed.json["state"] == "waiting"
    assert (done["state"], done["done"], done["total"]) == ("done", 40, 40)
    for verb in ("pause", "resume"):
        assert (await people.post(f"{path}/{verb}")).status == 409


async def test_slow_and_stopped_on_the_way(people):
    """Work takes no more rows a second than it may, stops between two batches, and goes on where it was."""
    async with held(people.blog.client) as look:
        await people.set(mail={**SEARCHED, "normalize": "casefold"})
        path = await people.begin()
        limited = await people.blog.client.patch(path, {"mostRowsPerSecond": 20}, as_=people.blog.root)
        working = asyncio.create_task(look())
        while not (await people.work())[0]["done"]:  # noqa: ASYNC110 - nothing in the server tells tests
            await asyncio.sleep(0.02)
        await people.post(f"{path}/pause")
        await working
        (stopped,) = await people.work()
        filled = await people.column("mail", 2)
        await people.blog.client.patch(path, {"mostRowsPerSecond": 0}, as_=people.blog.root)
        await people.post(f"{path}/resume")
        await look()

    assert limited.json["mostRowsPerSecond"] == 20
    assert (stopped["state"], stopped["total"]) == ("paused", 40)
    assert 10 <= stopped["done"] < 40
    assert len([one for one in filled if one]) == stopped["done"]
    assert all(await people.column("mail", 2))


@pytest.mark.parametrize("body", [{}, {"mostRowsPerSecond": -1}, {"mostRowsPerSecond": "fast"}, {"most": 5}])
async def test_limits_that_are_none(people, body):
    """What cannot be a limit is refused."""
    async with held(people.blog.client):
        await people.set(mail={**SEARCHED, "normalize": "casefold"})
        answer = await people.blog.client.patch(await people.begin(), body, as_=people.blog.root)

    assert (answer.status, answer.error.code) == (400, "bad_work")


async def test_only_superusers(blog):
    """Nobody else sees work on encrypted fields, or does anything about it; none has no id."""
    for who, status in (("", 401), (blog.ann, 403)):
        assert (await blog.client.get("/api/encryption/work", as_=who)).status == status
        assert (await blog.client.post("/api/encryption/work/x/pause", as_=who)).status == status
    for verb, path in (("post", "/pause"), ("post", "/resume")):
        answer = await getattr(blog.client, verb)(f"/api/encryption/work/none{path}", as_=blog.root)
        assert (answer.status, answer.error.code) == (404, "no_such_resealing")
    answer = await blog.client.patch("/api/encryption/work/none", {"mostRowsPerSecond": 1}, as_=blog.root)
    assert answer.status == 404


async def test_what_is_told(people):
    """A row tells what is being done with which field, how far it is, and when it was begun."""
    await people.set(mail={**SEARCHED, "normalize": "email"})
    await settle(people.backend)
    (row,) = await people.work()

    assert (row["collectionName"], row["fieldName"], row["number"]) == ("notes", "mail", 2)
    assert (row["collectionId"], row["fieldId"]) == (people.collection.id, people.collection.by_name["mail"].id)
    assert (row["rowsPerSecond"], row["secondsLeft"], row["error"]) == (0, None, None)
    assert row["started"] <= row["updated"]
    entries = [
        (entry.event, entry.detail["kind"]) for entry in await list_entries(people.engine) if entry.detail.get("kind")
    ]
    assert entries == [("resealing_ended", "index"), ("resealing_started", "index")]


async def test_a_turned_key(people):
    """A new key seals every value anew, and the old one can be disabled without anybody noticing."""
    before = await people.records()
    field_id = people.collection.by_name["mail"].id
    keys = SetOf(people.engine, people.backend.keyring, "value", f"{people.collection.id}/{field_id}")
    turned = await rotate_key(keys)
    (waiting,) = [row for row in await people.work() if row["number"] == turned.new_id]
    await settle(people.backend)
    await disable_key(keys, turned.old_id)

    assert waiting["kind"] == "reseal"
    assert {key_id_of(cell) for cell in await people.column("mail") if cell} == {turned.new_id}
    assert await people.records() == before
    assert [row["state"] for row in await people.work()] == ["done"]


async def test_a_collection_that_goes(people):
    """Work on a collection that is deleted meanwhile is given up."""
    async with held(people.blog.client) as look:
        await people.set(mail={**SEARCHED, "normalize": "casefold"})
        await people.begin()
        assert (await people.blog.client.delete("/api/collections/notes", as_=people.blog.root)).status == 204
        await look()

    assert await people.work() == []
