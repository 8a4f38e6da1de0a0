"""A unique index that refuses a row is told by the columns it covers."""

import pytest

from undercroft.database.engine import SqlError, UniqueViolation

pytestmark = pytest.mark.anyio

PEOPLE = (
    'CREATE TABLE people (id TEXT PRIMARY KEY NOT NULL, name TEXT, mail TEXT, "order" TEXT, n NUMERIC CHECK (n < 9))'
)


@pytest.mark.parametrize(
    ("index", "columns"),
    [
        ("(mail)", ("mail",)),
        ("(mail, name)", ("mail", "name")),
        ('("order")', ("order",)),
        ("(mail COLLATE NOCASE)", ("mail",)),
        ("(mail) WHERE name != ''", ("mail",)),
        ("(lower(mail))", ("mail",)),
        ("(lower(name), Mail)", ("name", "mail")),
        ("(coalesce(`mail`, ''), lower(\"order\")) WHERE name IS NOT NULL", ("mail", "order")),
    ],
)
async def test_columns_of_an_index(engine, index, columns):
    """Of plain indexes, partial ones and indexes on expressions alike."""

    async def make(tx):
        await tx.run(PEOPLE)
        await tx.run(f"CREATE UNIQUE INDEX one_each ON people {index}")
        await tx.run("INSERT INTO people VALUES ('a', 'n', 'm', 'o', 1)")

    async def again(tx):
        await tx.run("INSERT INTO people VALUES ('b', 'n', 'm', 'o', 1)")

    await engine.write(make)
    with pytest.raises(UniqueViolation) as caught:
        await engine.write(again)

    assert (caught.value.table, caught.value.columns) == ("people", columns)


@pytest.mark.parametrize("values", ["(NULL, '', '', '', 1)", "('b', '', '', '', 10)"])
async def test_other_constraints(engine, values):
    """What is refused for another reason is a refused statement."""

    async def make(tx):
        await tx.run(PEOPLE)
        await tx.run(f"INSERT INTO people VALUES {values}")

    with pytest.raises(SqlError):
        await engine.write(make)
