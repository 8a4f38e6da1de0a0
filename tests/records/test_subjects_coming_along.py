"""Values that are there already come under the keys of those whose they are, and back, while the server runs."""

from __future__ import annotations

import pytest
from coming_along import held, settle, work_of

from undercroft.collections.pieces import Piece
from undercroft.encryption.values import key_id_of
from undercroft.records.reseal_rows import Follower

pytestmark = pytest.mark.anyio
FIELDS = [
    {"name": "buyer", "type": "text", "required": True},
    {"name": "card", "type": "text"},
    {"name": "n", "type": "number"},
]
OF_BUYER = {"search": "equality", "shred": "buyer"}


class Bills:
    """Bills of three buyers, whose cards are not encrypted yet."""

    def __init__(self, blog):
        self.blog, self.backend = blog, blog.client.backend
        self.engine = self.backend.engine

    async def set(self, option):
        """Give the option to the cards."""
        old = (await self.blog.client.get("/api/collections/bills", as_=self.blog.root)).json
        fields = [{**field, "encrypted": option} if field["name"] == "card" else field for field in old["fields"]]
        answer = await self.blog.change("bills", fields=fields)
        assert answer.status == 200, answer.text

    async def cards(self, **query):
        answer = await self.blog.list("bills", sort="n", **query)
        assert answer.status == 200, answer.text
        return [item["card"] for item in answer.json["items"]]

    async def cells(self):
        """By number, the key that each cell names."""
        field = self.backend.catalog.collection("bills").by_name["card"]
        rows = await self.engine.read(f'SELECT "n", "{field.id}~sealed" FROM bills')
        return {int(n): key_id_of(cell) if cell else None for n, cell in rows}

    async def id_of(self, n):
        return (await self.blog.list("bills", filter=f"n = {n}")).json["items"][0]["id"]

    async def erase(self, subject):
        answer = await self.blog.client.delete(f"/api/encryption/subjects/{subject}", as_=self.blog.root)
        assert answer.status == 200, answer.text
        return answer.json["receipt"]


@pytest.fixture
async def bills(blog):
    """Nine bills, of three people in turn."""
    await blog.collection("bills", *FIELDS)
    for n in range(9):
        await blog.add("bills", buyer=f"buyer {n % 3}", card=f"card {n}", n=n)
    return Bills(blog)


async def test_each_under_the_key_of_its_owner(bills):
    """Nothing else is seen of it, and afterwards it can be erased."""
    before = await bills.cards()
    await bills.set(OF_BUYER)
    await settle(bills.backend)

    cells = await bills.cells()
    assert await bills.cards() == before
    assert await bills.cards(filter="card = 'card 4'") == ["card 4"]
    assert len(set(cells.values())) == 3
    assert cells[0] == cells[3] == cells[6] != cells[1]

    await bills.erase("buyer 1")
    assert [card for card in await bills.cards() if card] == [card for n, card in enumerate(before) if n % 3 != 1]


async def test_erased_on_the_way(bills):
    """Who is erased while values come along is gone from both columns."""
    async with held(bills.blog.client) as look:
        await bills.set(OF_BUYER)
        await bills.blog.update("bills", await bills.id_of(1), {"card": "new 1"})
        receipt = await bills.erase("buyer 1")
        on_the_way = await bills.cards()
        await look()

    assert list(receipt["values"].values()) == [3]
    assert [n for n, card in enumerate(on_the_way) if not card] == [1, 4, 7]
    assert await bills.cards() == on_the_way
    assert set(await bills.cells()) == set(range(9))
    assert {n for n, key in (await bills.cells()).items() if key is None} == {1, 4, 7}


async def test_another_owner_on_the_way(bills):
    """What was read for one owner is not put for the next."""
    async with held(bills.blog.client) as look:
        await bills.set(OF_BUYER)
        collection = bills.backend.catalog.collection("bills")
        piece = Piece("seal", collection.id, collection.by_name["card"].id)
        follower = Follower.of(collection, piece, bills.engine.dialect)
        rows = await follower.read(bills.engine.read, 0, 9)
        keys = await bills.engine.write(lambda tx: follower.hold(tx, rows))
        await bills.blog.update("bills", await bills.id_of(0), {"buyer": "buyer 1"})
        await bills.engine.write(lambda tx: tx.run("UPDATE bills SET buyer = 'buyer 2' WHERE n = 3"))
        put = await bills.engine.write(lambda tx: follower.put(tx, follower.prepare(rows, keys)))
        await look()

    cells = await bills.cells()
    assert put == 7
    assert cells[0] == cells[1]
    assert cells[3] == cells[2]


async def test_sql_that_changes_an_owner_behind(bills):
    """A value that has come along already comes along once more, when its record is somebody else's."""
    async with held(bills.blog.client) as look:
        await bills.set(OF_BUYER)
        await bills.blog.update("bills", await bills.id_of(0), {"card": "new 0"})
        await bills.engine.write(lambda tx: tx.run("UPDATE bills SET buyer = 'buyer 1' WHERE n = 0"))
        await look()

    cells = await bills.cells()
    assert cells[0] == cells[1]
    assert (await bills.cards())[0] == "new 0"


async def test_values_of_nobody(bills):
    """They stop it, by their records, and nothing is lost; once they are somebody's it goes on."""
    await bills.engine.write(lambda tx: tx.run("UPDATE bills SET buyer = '' WHERE n = 5"))
    async with held(bills.blog.client) as look:
        await bills.set(OF_BUYER)
        await look()
        row = (await work_of(bills.backend))["seal", "bills", "card"]
        assert (row.state, row.trouble.code) == ("failed", "values_of_nobody")
        assert row.trouble.records == [[await bills.id_of(5)]]
        await bills.blog.update("bills", await bills.id_of(5), {"buyer": "buyer 0"})
        answer = await bills.blog.client.post(f"/api/encryption/work/{row.id}/resume", as_=bills.blog.root)
        assert answer.status == 200, answer.text
        await look()

    cells = await bills.cells()
    assert cells[5] == cells[0]


async def test_back_in_clear(bills):
    """Values leave the keys of people again; what was erased stays it."""
    await bills.set(OF_BUYER)
    await settle(bills.backend)
    await bills.erase("buyer 1")
    expected = await bills.cards()

    await bills.set(False)
    await settle(bills.backend)

    assert await bills.cards() == expected
    assert await bills.cards(filter="card ~ 'card'") == [card for card in expected if card]
