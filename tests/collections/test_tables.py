"""Data stays with the id of its field, whatever happens to names, numbers of values and neighbours."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from undercroft.collections.collection import Collection
from undercroft.collections.fields.number import NumberField
from undercroft.collections.fields.select import SelectField
from undercroft.collections.fields.text import TextField
from undercroft.collections.scaffolds import id_field
from undercroft.collections.tables import plan_table
from undercroft.database.sqlite import SqliteEngine

NAMES = st.sampled_from(["a", "A", "b", "c", "order", "üml"])
TABLES = st.sampled_from(["box", "BOX", "crate"])
VALUES = {"text": "x'\"", "number": 4.5, "select": "y"}


def make_field(kind, field_id, name):
    if kind == "select":
        return SelectField(id=field_id, name=name, values=("y", "z"))
    return TextField(id=field_id, name=name) if kind == "text" else NumberField(id=field_id, name=name)


@dataclass
class World:
    """A collection, what its one record holds by field id, and how to change both."""

    collection: Collection = field(
        default_factory=lambda: Collection(id="c", name="box", fields=(id_field(), TextField(id="f0", name="a")))
    )
    held: dict = field(default_factory=lambda: {"f0": "first"})
    made: int = 1

    def next(self, change):
        kind, *arguments = change
        getattr(self, kind)(*arguments)

    def add(self, kind, name):
        if self.is_free(name):
            one = make_field(kind, f"f{self.made}", name)
            self.made += 1
            self.held[one.id] = one.zero
            self.collection = replace(self.collection, fields=(*self.collection.fields, one))

    def drop(self, at):
        for gone in self.own()[at : at + 1]:
            del self.held[gone.id]
            kept = tuple(one for one in self.collection.fields if one is not gone)
            self.collection = replace(self.collection, fields=kept)

    def rename(self, at, name):
        for one in self.own()[at : at + 1]:
            if self.is_free(name, besides=one):
                self.put(one, replace(one, name=name))

    def swap(self):
        if len(self.own()) > 1:
            one, other = self.own()[:2]
            self.put(one, replace(one, name=other.name))
            self.put(other, replace(other, name=one.name))

    def convert(self, at):
        for one in self.own()[at : at + 1]:
            if isinstance(one, SelectField):
                other = replace(one, max_select=0 if one.is_multiple else 2)
                self.held[one.id] = other.cast(self.held[one.id])
                self.put(one, other)

    def call(self, name):
        self.collection = replace(self.collection, name=name)

    def put(self, one, other):
        at = [kept.id for kept in self.collection.fields].index(one.id)
        fields = self.collection.fields
        self.collection = replace(self.collection, fields=(*fields[:at], other, *fields[at + 1 :]))

    def own(self):
        return [one for one in self.collection.fields if one.name != "id"]

    def is_free(self, name, besides=None):
        return all(one.name.lower() != name.lower() for one in self.collection.fields if one is not besides)


CHANGES = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(sorted(VALUES)), NAMES),
    st.tuples(st.just("drop"), st.integers(0, 3)),
    st.tuples(st.just("rename"), st.integers(0, 3), NAMES),
    st.tuples(st.just("swap")),
    st.tuples(st.just("convert"), st.integers(0, 3)),
    st.tuples(st.just("call"), TABLES),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.lists(CHANGES, max_size=4), max_size=4), filled=st.booleans())
def test_data_follows_the_id_of_its_field(steps, filled):
    """Several changes at a time, in any order: every field that stays keeps what it held."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder), steps, filled))


async def check(folder, steps, filled):
    engine = await SqliteEngine.open(folder)
    world = World()
    try:
        await alter(engine, None, world.collection)
        await engine.write(lambda tx: tx.run('INSERT INTO "box" ("id", "a") VALUES (?, ?)', ("r", "first")))
        for changes in steps:
            before = world.collection
            for change in changes:
                world.next(change)
            await alter(engine, before, world.collection)
            if filled:
                await fill(engine, world)
            assert await held(engine, world.collection) == world.held
    finally:
        await engine.close()


async def alter(engine, old, new):
    async def operation(tx):
        for statement in plan_table(old, new, engine.dialect).statements:
            await tx.run(statement)

    await engine.write(operation)


async def fill(engine, world):
    quote = engine.dialect.quote
    for one in world.own():
        world.held[one.id] = one.cast(VALUES[one.type])
        sql = f"UPDATE {quote(world.collection.name)} SET {quote(one.name)} = ?"
        await engine.write(lambda tx, sql=sql, one=one: tx.run(sql, (one.to_column(world.held[one.id]),)))


async def held(engine, collection):
    quote = engine.dialect.quote
    fields = collection.fields
    sql = f"SELECT {', '.join(quote(one.name) for one in fields)} FROM {quote(collection.name)}"
    (row,) = await engine.read(sql)
    return {one.id: one.from_column(value) for one, value in zip(fields, row, strict=True) if one.name != "id"}


def table(*fields, indexes=()):
    return Collection(id="c", name="box", fields=(id_field(), *fields), indexes=tuple(indexes))


@pytest.mark.anyio
async def test_only_indexes_that_change_are_built_again(engine):
    """An index over columns that stay is left alone."""
    a, b = TextField(id="fa", name="a"), TextField(id="fb", name="b")
    old = table(a, b, indexes=["CREATE INDEX ia ON box (a)", "CREATE INDEX ib ON box (b)"])
    new = table(a, replace(b, name="c"), indexes=["CREATE INDEX ia ON box (a)", "CREATE INDEX ib ON box (c)"])
    plan = plan_table(old, new, engine.dialect)

    assert [index.index.name for index in plan.indexes] == ["ib"]
    assert [statement for statement in plan.statements if "INDEX" in statement] == ['DROP INDEX IF EXISTS "ib"']


@pytest.mark.anyio
async def test_adding_a_field_disturbs_no_view(engine):
    """Nothing that a view reads from goes or moves."""
    old = table()
    new = table(TextField(id="fa", name="a"))

    assert not plan_table(old, new, engine.dialect).moves_names
    assert plan_table(new, old, engine.dialect).moves_names
