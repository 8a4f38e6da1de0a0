"""`undercroft import` and `undercroft export`, on real data directories."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import pytest
from click.testing import CliRunner

from undercroft import testing
from undercroft.cli.exporting import command as export_command
from undercroft.cli.importing import command as import_command

BOOKS = {
    "id": "books0000000000",
    "name": "books",
    "listRule": "",
    "fields": [
        {"name": "title", "type": "text", "required": True, "max": 30},
        {"name": "pages", "type": "number", "min": 1},
        {"name": "isRead", "type": "bool"},
        {"name": "tags", "type": "select", "maxSelect": 3, "values": ["sea", "city", "war"]},
        {"name": "meta", "type": "json"},
        {"name": "place", "type": "geoPoint"},
        {"name": "isbn", "type": "text"},
        {"name": "note", "type": "text", "hidden": True},
        {"name": "sequel", "type": "relation", "collectionId": "books0000000000", "maxSelect": 1},
        {"name": "created", "type": "autodate", "onCreate": True},
    ],
    "indexes": ["CREATE UNIQUE INDEX isbns ON books (isbn) WHERE isbn != ''"],
}
VIEW = {"name": "titles", "type": "view", "viewQuery": "SELECT id, title FROM books"}


@dataclass(frozen=True)
class Data:
    """A data directory, and the PostgreSQL database that belongs to it, if that is where the records are."""

    folder: Path
    database: str = ""

    @property
    def parent(self):
        return self.folder.parent

    def client(self):
        return testing.client(self.folder, self.database)


@pytest.fixture
def data(tmp_path, database):
    """A data directory with an empty collection of books and a view of it."""
    made = Data(tmp_path / "data", database)

    async def make():
        async with made.client() as client:
            root = await client.superuser()
            for collection in (BOOKS, VIEW):
                answer = await client.post("/api/collections", collection, as_=root)
                assert answer.status == 200, answer.text

    (tmp_path / "data").mkdir()
    asyncio.run(make())
    return made


def stored(data, collection="books", **query):
    """What is stored, as a superuser sees it, by id."""

    async def read():
        async with data.client() as client:
            options = {"as_": await client.superuser(), "perPage": 500, "sort": "id", **query}
            return (await client.get(f"/api/collections/{collection}/records", **options)).json["items"]

    return asyncio.run(read())


def run(command, data, *arguments, text=None):
    place = ["--dir", data.folder, *(["--database", data.database] if data.database else [])]
    return CliRunner().invoke(command, [*map(str, [*arguments, *place])], input=text, catch_exceptions=False)


def import_text(data, name, text, *options):
    file = data.parent / name
    file.write_text(text, encoding="utf-8")
    return run(import_command, data, "books", file, *options)


def rejected(data, name):
    lines = (data.parent / f"{name}.rejected.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_csv(data):
    """A CSV file becomes records, values cast by their fields."""
    text = 'title,pages,is_read,tags,meta\nVá,12,true,"[""sea"",""war""]","{""a"":1}"\nB,,,sea,\n'

    done = import_text(data, "b.csv", text)

    assert (done.exit_code, done.output) == (0, "2 rows read: 2 imported, 0 rejected.\n")
    found = {book["title"]: (book["pages"], book["isRead"], book["tags"], book["meta"]) for book in stored(data)}
    assert found == {"Vá": (12, True, ["sea", "war"], {"a": 1}), "B": (0, False, ["sea"], "")}


def test_nothing_is_lost(data):
    """Every row read is imported or rejected, with its place, reason and content; the exit code says so."""
    text = "title,pages,isbn\nA,1,x\n,1,y\nC,many,z\nD,-1,\nE,1,x\nF,1,w,1\nG,2,v\n"

    done = import_text(data, "b.csv", text)

    assert done.exit_code == 1
    assert done.output.startswith("7 rows read: 2 imported, 5 rejected.")
    assert [book["title"] for book in stored(data, sort="title")] == ["A", "G"]
    assert {row["place"]: [error["code"] for error in row["errors"].values()] for row in rejected(data, "b.csv")} == {
        "line 3": ["validation_required"],
        "line 4": ["import_not_understood"],
        "line 5": ["validation_min_number_constraint"],
        "line 6": ["validation_not_unique"],
        "line 7": [],
    }
    assert rejected(data, "b.csv")[0]["row"] == {"title": "", "pages": "1", "isbn": "y"}


def test_rejects_of_an_earlier_run_go(data):
    """A run without bad rows leaves no file of bad rows behind."""
    import_text(data, "b.csv", 'title\n""\n')
    import_text(data, "b.csv", "title\nA\n")

    assert not (data.parent / "b.csv.rejected.jsonl").exists()


def test_lenient(data):
    """On demand what makes no sense is taken as empty, as the API does."""
    done = import_text(data, "b.csv", "title,isRead\nA,perhaps\n", "--lenient")

    assert done.exit_code == 0
    assert [book["isRead"] for book in stored(data)] == [False]


def test_dry_run(data):
    """A dry run finds the bad rows and stores none."""
    done = import_text(data, "b.csv", 'title\nA\n""\n', "--dry-run")

    assert done.output.startswith("2 rows read: 1 would be imported, 1 rejected.")
    assert stored(data) == []


def test_mapping_and_lookup(data):
    """Columns go where they are sent; a relation is found by a field of the related record."""
    import_text(data, "a.csv", "title,isbn\nFirst,i1\n")
    text = "name,lat,lon,before\nSecond,1.5,2.5,i1\nThird,0,0,i9\n"
    wishes = ["name=title", "lat=place.lat", "lon=place.lon", "before=sequel.isbn"]

    done = import_text(data, "b.csv", text, *(part for wish in wishes for part in ("--map", wish)))

    assert done.output.startswith("2 rows read: 1 imported, 1 rejected.")
    first, second = (book for book in stored(data, sort="title"))
    assert (second["place"], second["sequel"]) == ({"lon": 2.5, "lat": 1.5}, first["id"])
    assert rejected(data, "b.csv")[0]["errors"]["sequel"]["code"] == "import_not_found"


def test_rows_find_each_other(data):
    """A row may point to one before it in the same file, also in a batch that is done twice."""
    text = "title,isbn,before\nA,i1,\nB,i2,i1\nC,i2,\nD,i3,i2\n"

    done = import_text(data, "b.csv", text, "--map", "before=sequel.isbn")

    assert done.output.startswith("4 rows read: 3 imported, 1 rejected.")
    books = {book["title"]: book for book in stored(data)}
    assert (books["B"]["sequel"], books["D"]["sequel"]) == (books["A"]["id"], books["B"]["id"])


def test_ids_and_dates_are_kept(data):
    """A record keeps the id and the dates that the file gives it."""
    import_text(data, "b.csv", "key,title,created\nbook00000000001,A,2001-02-03\n", "--id", "key")

    [book] = stored(data)
    assert (book["id"], book["created"]) == ("book00000000001", "2001-02-03 00:00:00.000Z")


def test_mongodb(data):
    """What MongoDB's export tool writes, canonical or relaxed, is read."""
    canonical = {
        "_id": {"$oid": "5d505646cf6d4fe581014ab2"},
        "title": "A",
        "pages": {"$numberInt": "7"},
        "created": {"$date": {"$numberLong": "981158400000"}},
        "isbn": {"$numberLong": "9007199254740993"},
        "place": {"type": "Point", "coordinates": [{"$numberDouble": "1.5"}, {"$numberInt": "2"}]},
    }
    relaxed = {
        "_id": {"$oid": "5d505646cf6d4fe581014ab3"},
        "title": "B",
        "pages": 7,
        "created": {"$date": "2001-02-03T00:00:00Z"},
    }

    done = import_text(data, "b.json", f"{json.dumps(canonical)}\n{json.dumps(relaxed)}\n", "--map", "_id=note")

    assert done.output == "2 rows read: 2 imported, 0 rejected.\n"
    one, two = stored(data, sort="title")
    assert (one["pages"], one["created"], one["isbn"]) == (7, "2001-02-03 00:00:00.000Z", "9007199254740993")
    assert (one["place"], one["note"]) == ({"lon": 1.5, "lat": 2}, "5d505646cf6d4fe581014ab2")
    assert two["created"] == one["created"]


def test_standard_input(data):
    """`-` reads what is piped in."""
    done = run(import_command, data, "books", "-", "--format", "jsonl", text='{"title":"A"}\n')

    assert done.output.startswith("1 rows read: 1 imported")


def test_accounts_keep_bcrypt_hashes(data):
    """Accounts from elsewhere log in with the password they had; a plain one is hashed."""
    mark = bcrypt.hashpw(b"their-old-one", bcrypt.gensalt(4)).decode()
    file = data.parent / "users.csv"
    file.write_text(f"email,password\na@example.com,{mark}\nb@example.com,a-plain-one\nc@example.com,short\n")

    done = run(import_command, data, "users", file)

    async def log_in():
        async with data.client() as client:
            return [
                await client.login("users", *who)
                for who in (("a@example.com", "their-old-one"), ("b@example.com", "a-plain-one"))
            ]

    assert done.output.startswith("3 rows read: 2 imported, 1 rejected.")
    assert all(asyncio.run(log_in()))


def test_import_beside_a_server(data):
    """A running server does not stand in the way, and shows what came in."""

    async def both():
        async with data.client() as client:
            done = await asyncio.to_thread(import_text, data, "b.csv", "title\nA\nB\n")
            page = await client.get("/api/collections/books/records")
            return done.exit_code, page.json["totalItems"]

    assert asyncio.run(both()) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["bookz", "b.csv"], "Did you mean 'books'?"),
        (["titles", "b.csv"], "Unsupported collection type."),
        (["books", "b.csv", "--map", "a=titel"], "Did you mean 'title'?"),
        (["books", "empty.csv"], "The file is empty"),
    ],
)
def test_what_cannot_begin_says_why(data, arguments, reason):
    """A wrong name or an empty file is told of in one sentence, and nothing is imported."""
    (data.parent / "b.csv").write_text("title\nA\n")
    (data.parent / "empty.csv").write_text("")
    collection, file, *options = arguments

    with pytest.raises(Exception, match=r".") as caught:
        run(import_command, data, collection, data.parent / file, *options)

    assert reason in str(caught.value)
    assert stored(data) == []


def test_no_data(tmp_path):
    """A folder without data is not made into one."""
    with pytest.raises(Exception, match=r"There is no data in"):
        run(export_command, Data(tmp_path), "books")

    assert list(tmp_path.iterdir()) == []


TRICKY = [
    {"title": "=1+1", "note": "'=quoted", "meta": "=text", "tags": ["sea"], "pages": 5},
    {"title": "-x", "note": "@\tb", "meta": "5", "place": {"lon": -1.5, "lat": 2}},
    {"title": '日本\n"q",', "note": "'plain", "meta": {"a": [1, None]}, "isRead": True},
]


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_round_trip(data, kind):
    """What is exported and imported again is the same, whatever the format."""
    import_text(data, "a.jsonl", "".join(json.dumps(row) + "\n" for row in TRICKY))
    before = stored(data)
    out = data.parent / f"out.{kind}"
    run(export_command, data, "books", out)

    async def empty():
        async with data.client() as client:
            return await client.delete("/api/collections/books/truncate", as_=await client.superuser())

    asyncio.run(empty())
    done = run(import_command, data, "books", out)

    assert done.output == "3 rows read: 3 imported, 0 rejected.\n"
    assert stored(data) == before


def test_encrypted_fields_round_trip(data):
    """An export has the values, and what is imported is sealed anew, for its own records, and found by value."""
    sealed = [
        {"name": "mail", "type": "email", "encrypted": {"search": "equality"}},
        {"name": "diary", "type": "text", "encrypted": True},
    ]
    rows = [{"id": f"reader{n:09}", "mail": f"r{n}@example.com", "diary": f"day {n}"} for n in range(3)]

    async def make(name):
        async with data.client() as client:
            body = {"name": name, "type": "base", "fields": sealed}
            assert (await client.post("/api/collections", body, as_=await client.superuser())).status == 200

    asyncio.run(make("readers"))
    asyncio.run(make("copies"))
    file = data.parent / "readers.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(import_command, data, "readers", file)
    for row in rows:
        row["id"] = row["id"].replace("reader", "copied")
    out = data.parent / "out.jsonl"
    run(export_command, data, "readers", out)
    out.write_text(out.read_text().replace("reader0", "copied0"))
    done = run(import_command, data, "copies", out)

    assert done.output == "3 rows read: 3 imported, 0 rejected.\n"
    kept = [{name: row[name] for name in ("id", "mail", "diary")} for row in stored(data, "copies")]
    assert kept == rows
    assert [row["id"] for row in stored(data, "copies", filter="mail = 'r1@example.com'")] == [rows[1]["id"]]


def test_formulas_are_disarmed(data):
    """A text that a spreadsheet would run is not exported as one, unless asked for."""
    import_text(data, "a.jsonl", '{"title":"=1+1","pages":3}\n')

    guarded, raw = (
        list(csv.DictReader(io.StringIO(run(export_command, data, "books", *options).output)))
        for options in ((), ("--raw",))
    )

    assert (guarded[0]["title"], raw[0]["title"]) == ("'=1+1", "=1+1")


def test_filter_and_pages(data):
    """An export follows the filter over as many pages as there are."""
    import_text(data, "a.jsonl", "".join(f'{{"title":"T{n}","pages":{n + 1}}}\n' for n in range(1203)))

    lines = run(
        export_command, data, "books", "--format", "jsonl", "--filter", "pages > 3 // all but three"
    ).output.splitlines()

    assert len({json.loads(line)["id"] for line in lines}) == len(lines) == 1200


def test_secrets_stay(data):
    """Passwords and what signs tokens are never exported."""
    file = data.parent / "users.csv"
    file.write_text("email,password\na@example.com,a-plain-one\n")
    run(import_command, data, "users", file)

    [user] = [json.loads(line) for line in run(export_command, data, "users", "--format", "jsonl").output.splitlines()]

    assert user["email"] == "a@example.com"
    assert {"password", "tokenKey"} & set(user) == set()


def test_broken_export_leaves_no_file(data):
    """A file is there when it is complete: an export that fails leaves the old one as it was."""
    out = data.parent / "out.csv"
    out.write_text("old")

    with pytest.raises(Exception, match="nowhere"):
        run(export_command, data, "books", out, "--filter", "nowhere = 1")

    assert [path.name for path in sorted(data.parent.iterdir()) if path.is_file()] == ["out.csv"]
    assert Path(out).read_text() == "old"
