"""Values on their way between columns: whoever writes without knowing of it loses nothing."""

from __future__ import annotations

import pytest
from coming_along import held

from undercroft.database.engine import SqlError

SEARCHED = {"search": "equality"}
KINDS = {
    "text": ("a", "b"),
    "number": (1, 2.5),
    "date": ("2024-05-06 07:08:09.123Z", "2025-01-01 00:00:00.000Z"),
    "json": ({"a": 1}, [2]),
}


@pytest.fixture(autouse=True)
async def _held(blog):
    """What is on its way stays there: nobody fills the columns meanwhile."""
    async with held(blog.client):
        yield


@pytest.fixture
async def notes(blog):
    """A collection with a record in it, whose field can be changed."""
    await blog.collection("notes", {"name": "secret", "type": "text"})
    await blog.add("notes", secret="one")
    return Notes(blog)


class Notes:
    """The only field of the only collection, and its columns."""

    def __init__(self, blog):
        self.blog = blog
        self.engine = blog.client.backend.engine

    async def encrypt(self, encrypted, called="secret", **others):
        fields = (await self.blog.client.get("/api/collections/notes", as_=self.blog.root)).json["fields"]
        fields[-1] |= {"encrypted": encrypted, "name": called}
        answer = await self.blog.change("notes", fields=fields, **others)
        assert answer.status == 200, answer.text

    async def rename(self, name, to):
        answer = await self.blog.client.patch(f"/api/collections/{name}", {"name": to}, as_=self.blog.root)
        assert answer.status == 200, answer.text

    @property
    def seal(self):
        (seal,) = self.blog.client.backend.catalog.collection("notes").seals.values()
        return seal

    @property
    def id(self):
        return self.blog.client.backend.catalog.collection("notes").fields[-1].id

    async def column(self, name):
        rows = await self.engine.read(f'SELECT "{name}" FROM notes')
        return rows[0][0]

    async def run(self, sql, *values):
        await self.engine.write(lambda tx: tx.run(sql, values))

    async def write(self, value):
        (record_id,) = await self.blog.ids("notes")
        answer = await self.blog.update("notes", record_id, {"secret": value}, self.blog.root)
        assert answer.status == 200, answer.text


@pytest.mark.parametrize("kind", KINDS)
async def test_old_values_wait(blog, kind):
    """A field that begins to be encrypted is read as before, and what is written goes into both columns."""
    one, two = KINDS[kind]
    await blog.collection("notes", {"name": "secret", "type": kind})
    await blog.add("notes", secret=one)
    notes = Notes(blog)
    await notes.encrypt(True)

    assert (await blog.list("notes")).json["items"][0]["secret"] == one
    assert await notes.column(f"{notes.id}~sealed") is None
    await notes.write(two)
    assert (await blog.list("notes")).json["items"][0]["secret"] == two
    assert isinstance(await notes.column(f"{notes.id}~sealed"), bytes)


async def test_whoever_writes_one_column(notes):
    """SQL that changes the plain column alone empties the others, whose value has to follow anew."""
    await notes.encrypt(SEARCHED)
    await notes.write("two")
    filled = [await notes.column(f"{notes.id}~{name}") for name in ("sealed", 1)]
    await notes.run("UPDATE notes SET secret = secret")
    kept = [await notes.column(f"{notes.id}~{name}") for name in ("sealed", 1)]
    await notes.run("UPDATE notes SET secret = 'three'")

    assert all(filled)
    assert kept == filled
    assert [await notes.column(f"{notes.id}~{name}") for name in ("sealed", 1)] == [None, None]
    assert await notes.column("secret") == "three"


@pytest.mark.parametrize("kind", KINDS)
async def test_on_the_way_back(blog, kind):
    """A field that is decrypted is read from its cells; a cell that changes alone empties the plain column."""
    one, two = KINDS[kind]
    await blog.collection("notes", {"name": "secret", "type": kind, "encrypted": True})
    await blog.add("notes", secret=one)
    notes = Notes(blog)
    await notes.encrypt(False)
    empty = await notes.column("secret")
    await notes.write(two)
    filled = await notes.column("secret")
    mark = notes.engine.dialect.placeholder(1, "bytes")
    await notes.run(f'UPDATE notes SET "{notes.id}~sealed" = {mark}', b"\x01" * 40)

    assert filled != empty
    assert await notes.column("secret") == empty


async def test_a_new_index(blog):
    """A new index is filled beside the old one, forgets what it missed, and goes when the option is taken back."""
    await blog.collection("notes", {"name": "secret", "type": "text", "encrypted": SEARCHED})
    await blog.add("notes", secret="One")
    notes = Notes(blog)
    await notes.encrypt({**SEARCHED, "normalize": "casefold"})
    first, second = f"{notes.id}~1", f"{notes.id}~2"
    assert (notes.seal.index.number, notes.seal.filling.number) == (1, 2)

    await notes.write("Two")
    assert await notes.column(first)
    assert await notes.column(second)
    assert (await blog.list("notes", filter="secret = 'two'")).json["totalItems"] == 0

    mark = notes.engine.dialect.placeholder(1, "bytes")
    await notes.run(f'UPDATE notes SET "{notes.id}~sealed" = {mark}', b"\x01" * 40)
    assert await notes.column(second) is None

    await notes.encrypt({**SEARCHED, "normalize": "casefold"}, listRule=None)
    assert notes.seal.filling.number == 2
    await notes.encrypt(SEARCHED)
    assert (notes.seal.index.number, notes.seal.filling) == (1, None)
    with pytest.raises(SqlError):
        await notes.column(second)


async def test_renames_and_second_thoughts(notes):
    """Renaming what is on its way loses no watch, and taking the option back leaves nothing in the database."""
    await notes.encrypt(SEARCHED)
    await notes.encrypt(SEARCHED, "phrase")
    await notes.rename("notes", "words")
    (record_id,) = await notes.blog.ids("words")
    await notes.blog.update("words", record_id, {"phrase": "two"}, notes.blog.root)
    await notes.run("UPDATE words SET phrase = 'three'")
    await notes.rename("words", "notes")

    assert await notes.column("phrase") == "three"
    assert await notes.column(f"{notes.id}~sealed") is None
    await notes.encrypt(False)
    await notes.run("UPDATE notes SET secret = 'four'")
    assert await notes.column("secret") == "four"
    assert not notes.blog.client.backend.catalog.collection("notes").seals


async def test_no_name_changes_its_meaning(blog):
    """A statement for a plain field fails where that is encrypted by now, instead of finding nothing, or bytes."""
    await blog.collection("notes", {"name": "secret", "type": "text", "encrypted": True})
    engine = blog.client.backend.engine

    for sql in ("SELECT secret FROM notes", "SELECT id FROM notes WHERE secret = 'one'", 'SELECT "secret" FROM notes'):
        with pytest.raises(SqlError):
            await engine.read(sql)
