"""`undercroft adopt`: tables that others have made become collections, and stay what they are."""

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner
from postgres import in_thread

from undercroft import testing
from undercroft.cli.adopt import NotAdopted, command
from undercroft.cli.data import NoData

CUSTOMERS = """CREATE TABLE customers (id text PRIMARY KEY NOT NULL, name varchar(80) NOT NULL, age integer,
    balance double precision, vip boolean, seen {date}, meta {json}, photo {bytes}, email text UNIQUE)"""
ORDERS = """CREATE TABLE orders (id varchar(20) PRIMARY KEY NOT NULL, customer text NOT NULL
    REFERENCES customers(id) ON DELETE CASCADE, total real DEFAULT 0, note text)"""
TYPES = {
    True: {"date": "timestamptz", "json": "jsonb", "bytes": "bytea", "empty": "''::bytea"},
    False: {"date": "datetime", "json": "json", "bytes": "blob", "empty": "x''"},
}
ANN = "('c-1', 'Ann', 31, 12.5, true, '2024-01-01 10:00:00.000Z', '{{\"a\":1}}', {empty}, 'ann@example.com')"
BEN = "('c-2', 'Ben', NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
RECORD = {
    "id": "c-1",
    "name": "Ann",
    "age": 31,
    "balance": 12.5,
    "vip": True,
    "seen": "2024-01-01 10:00:00.000Z",
    "meta": {"a": 1},
    "email": "ann@example.com",
}


class Shop:
    """A database with tables of its own, the command, and a client."""

    def __init__(self, folder, database):
        self.folder = folder
        self.database = database
        self.types = TYPES[bool(database)]

    def adopt(self, *arguments):
        place = ["--dir", str(self.folder), *(["--database", self.database] if self.database else [])]
        return in_thread(invoke([*arguments, *place]))

    def sql(self, *statements):
        """Run statements behind the server's back; the rows of the last."""

        async def run():
            async with testing.client(self.folder, self.database) as client:

                async def operation(tx):
                    return [await tx.run(statement) for statement in statements][-1]

                return await client.backend.engine.write(operation)

        return in_thread(run())

    def request(self, method, path, json=None, **query):
        """What a superuser is answered."""

        async def ask():
            async with testing.client(self.folder, self.database) as client:
                options = {"json": json} if json is not None else {}
                return await client.request(
                    method, f"/api/collections/{path}", as_=await client.superuser(), **options, **query
                )

        return in_thread(ask())


async def invoke(arguments):
    return await asyncio.to_thread(CliRunner().invoke, command, arguments, catch_exceptions=False)


@pytest.fixture
def shop(tmp_path, database):
    """A shop's tables with two customers."""
    made = Shop(tmp_path / "data", database)
    made.sql(CUSTOMERS.format(**made.types), ORDERS, f"INSERT INTO customers VALUES {ANN.format(**made.types)}, {BEN}")
    return made


def test_records_are_read(shop):
    """The rows of the table are records, with NULL as the empty value of its type."""
    shop.adopt("customers")

    items = shop.request("GET", "customers/records", sort="id").json["items"]
    assert [{name: items[0][name] for name in RECORD}] == [RECORD]
    assert {name: items[1][name] for name in RECORD} == {
        "id": "c-2",
        "name": "Ben",
        "age": 0,
        "balance": 0,
        "vip": False,
        "seen": "",
        "meta": None,
        "email": "",
    }


def test_no_row_is_changed(shop):
    """What is stored is the same before and after."""
    query = "SELECT id, name, age, balance, vip, meta, photo, email FROM customers ORDER BY id"
    before = shop.sql(query)

    shop.adopt("customers")

    assert shop.sql(query) == before


def test_filters_take_null_for_empty(shop):
    """A filter finds records by what the API shows of them."""
    shop.adopt("customers")

    for text in ("age = 31 && name ~ 'an'", "seen > '2023-12-31'", "balance > 12 && vip = true", "meta.a = 1"):
        assert ids(shop, "customers", text) == ["c-1"], text
    for text in ("email = ''", "seen = ''", "meta = null"):
        assert ids(shop, "customers", text) == ["c-2"], text


def test_records_are_written(shop):
    """Records are created, changed and deleted through the API, in the table."""
    shop.adopt("customers")

    made = shop.request("POST", "customers/records", {"name": "Cid", "age": 7, "email": "cid@example.com"})
    changed = shop.request("PATCH", "customers/records/c-2", {"age": 40})
    deleted = shop.request("DELETE", "customers/records/c-1")

    assert (made.status, changed.status, deleted.status) == (200, 200, 204), (made.text, changed.text)
    assert shop.sql("SELECT name, age FROM customers ORDER BY name") == [("Ben", 40), ("Cid", 7)]


def test_unique_columns_are_known(shop):
    """A value that another row has is refused with the field's name."""
    shop.adopt("customers")

    answer = shop.request("POST", "customers/records", {"name": "Dan", "email": "ann@example.com"})

    assert answer.status == 400
    assert answer.error.data["email"]["code"] == "validation_not_unique"


def test_foreign_keys_are_relations(shop):
    """A column that refers to an adopted table is a relation, to be expanded and filtered through."""
    shop.sql("INSERT INTO orders VALUES ('o-1', 'c-1', 9.5, NULL)")
    shop.adopt("customers")
    shop.adopt("orders")

    items = shop.request("GET", "orders/records", expand="customer", filter="customer.name = 'Ann'").json["items"]
    assert items[0]["expand"]["customer"]["name"] == "Ann"
    assert shop.request("POST", "orders/records", {"customer": "nobody"}).status == 400


def test_a_reference_to_a_plain_table_is_a_value(shop):
    """Before the other table is a collection, the column is what its type says, and the command says so."""
    outcome = shop.adopt("orders")

    assert "customer refers to customers, which is no collection" in outcome.output


def test_columns_without_a_field_are_named(shop):
    """What no field can hold is left out, and the command says so."""
    outcome = shop.adopt("customers")

    assert "photo is left out" in outcome.output
    assert "photo" not in shop.request("GET", "customers/records").json["items"][0]


@pytest.mark.parametrize(
    "columns",
    [
        "id integer PRIMARY KEY, word text",
        "code text PRIMARY KEY, word text",
        "a text, word text, PRIMARY KEY (a, word)",
        "id text, word text",
        "id text PRIMARY KEY, word text, photo {bytes} NOT NULL",
    ],
)
def test_other_tables_are_refused(shop, columns):
    """A table that records could not be written to is no collection; the command says why and what to do."""
    shop.sql(f"CREATE TABLE words ({columns.format(**shop.types)})")

    with pytest.raises(NotAdopted, match="--as NAME"):
        shop.adopt("words")


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ("id integer PRIMARY KEY, word text", "7"),
        ("number integer PRIMARY KEY, word text", "7"),
        ("number integer, word text, PRIMARY KEY (number, word)", "7:seven"),
        ("number integer, word text", "1"),
    ],
)
def test_any_table_can_be_shown(shop, columns, key):
    """With --as the rows of a table are records of a view, named by its primary key."""
    shop.sql(f"CREATE TABLE words ({columns})", "INSERT INTO words VALUES (7, 'seven')")

    shop.adopt("words", "--as", "all_words")

    answer = shop.request("GET", "all_words/records", filter="word = 'seven'")
    assert [(item["id"], item["word"]) for item in answer.json["items"]] == [(key, "seven")]
    assert shop.request("POST", "all_words/records", {"word": "x"}).status == 400


def test_guests_see_nothing_at_first(shop):
    """Without rules an adopted table is for superusers."""
    shop.adopt("customers")

    definition = shop.request("GET", "customers").json
    assert [definition[f"{action}Rule"] for action in ("list", "view", "create", "update", "delete")] == [None] * 5


def test_there_must_be_a_table(shop):
    """A name that is no table, or is a collection already, is refused."""
    with pytest.raises(NoData, match="Did you mean 'customers'"):
        shop.adopt("custamers")
    with pytest.raises(NoData, match="already"):
        shop.adopt("users")


@pytest.mark.sqlite_only("PostgreSQL's columns have types")
def test_values_decide_where_types_do_not(shop):
    """On SQLite a column is what its values are: dates that are none are text, other strays are left out."""
    shop.sql("UPDATE customers SET seen = 'yesterday', age = 'old' WHERE id = 'c-1'")

    outcome = shop.adopt("customers")

    fields = {field["name"]: field["type"] for field in shop.request("GET", "customers").json["fields"]}
    assert fields["seen"] == "text"
    assert "age" not in fields
    assert "age is left out: what it holds is not a number (in 1 of its rows)." in outcome.output


@pytest.mark.sqlite_only("PostgreSQL's tables take the column that keeps the order")
def test_tables_without_an_order_are_refused(shop):
    """A table that keeps no order of insertion cannot be listed as collections are."""
    shop.sql("CREATE TABLE words (id text PRIMARY KEY NOT NULL, word text) WITHOUT ROWID")

    with pytest.raises(NotAdopted, match="order of insertion"):
        shop.adopt("words")


def ids(shop, collection, text):
    return [item["id"] for item in shop.request("GET", f"{collection}/records", filter=text).json["items"]]
