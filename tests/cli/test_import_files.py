"""`undercroft import --files`: columns that name files by their paths."""

from __future__ import annotations

import asyncio
import json
import os

import pytest
from click.testing import CliRunner

from undercroft import testing
from undercroft.cli.importing import command
from undercroft.files.staging import Staging

BOOKS = {
    "id": "books0000000000",
    "name": "books",
    "viewRule": "",
    "fields": [
        {"name": "title", "type": "text", "required": True},
        {"name": "cover", "type": "file", "maxSize": 100_000, "mimeTypes": ["text/plain"]},
        {"name": "pages", "type": "file", "maxSelect": 3},
        {"name": "code", "type": "text"},
        {"name": "sequel", "type": "relation", "collectionId": "books0000000000"},
        {"name": "made", "type": "autodate", "onCreate": True},
    ],
    "indexes": ["CREATE UNIQUE INDEX codes ON books (code) WHERE code != ''"],
}


class Site:
    """A data directory with a collection of books, and a folder of files beside it."""

    def __init__(self, folder, database):
        self.folder, self.database = folder, database
        self.data, self.files = folder / "data", folder / "files"

    def run(self, text, *options, name="books.csv"):
        """Import a text as a superuser would."""
        (self.folder / name).write_text(text, encoding="utf-8")
        place = ["--dir", str(self.data), *(["--database", self.database] if self.database else [])]
        arguments = ["books", str(self.folder / name), *place, "--files", str(self.files), *map(str, options)]
        return CliRunner().invoke(command, arguments, catch_exceptions=False)

    def rejected(self, name="books.csv"):
        """The reasons of the rows that were rejected, by title."""
        lines = (self.folder / f"{name}.rejected.jsonl").read_text().splitlines()
        return {each["row"]["title"]: each["errors"] for each in map(json.loads, lines)}

    def books(self):
        """What is stored, by title: the record, and the bytes of its files by field."""
        return asyncio.run(self._books())

    async def _books(self):
        async with testing.client(self.data, self.database) as client:
            token = await client.superuser()
            page = await client.get("/api/collections/books/records", as_=token, perPage=200)
            return {each["title"]: (each, await _files(client, each)) for each in page.json["items"]}

    def kept(self):
        """The files that are in the store, staging left out."""
        storage = self.data / "storage"
        return [path for path in storage.rglob("*") if path.is_file() and ".staging" not in path.parts]


async def _files(client, record):
    folder = f"/api/files/books/{record['id']}"
    return {
        field: [(await client.get(f"{folder}/{name}")).body for name in names if name]
        for field, names in (("cover", [record["cover"]]), ("pages", record["pages"]))
    }


@pytest.fixture
def site(tmp_path, database):
    """An empty site with some files beside it."""

    async def make():
        async with testing.client(tmp_path / "data", database) as client:
            root = await client.superuser()
            assert (await client.post("/api/collections", BOOKS, as_=root)).status == 200

    (tmp_path / "data").mkdir()
    asyncio.run(make())
    (tmp_path / "files" / "deep").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "deep/c.txt"):
        (tmp_path / "files" / name).write_text(f"this is {name}")
    (tmp_path / "outside.txt").write_text("from outside")
    return Site(tmp_path, database)


def test_files_come_with_their_rows(site):
    """A path, or a JSON list of paths, becomes files of the record."""
    pages = json.dumps(["b.txt", "deep/c.txt"]).replace('"', '""')

    done = site.run(f'title,cover,pages\nOne,a.txt,"{pages}"\nTwo,./a.txt,\nThree,,b.txt\n')

    assert done.exit_code == 0, done.output
    assert done.output.startswith("3 rows read with 5 files, 0.0 MB: 3 imported, 0 rejected.")
    books = site.books()
    assert books["One"][1] == {"cover": [b"this is a.txt"], "pages": [b"this is b.txt", b"this is deep/c.txt"]}
    assert books["Two"][1] == {"cover": [b"this is a.txt"], "pages": []}
    assert books["Three"][1] == {"cover": [], "pages": [b"this is b.txt"]}
    assert books["One"][0]["cover"].endswith(".txt")


def test_mapped_json(site):
    """A column goes to a file field by --map, and lists are lists in JSON."""
    rows = [{"title": "One", "at": {"image": "a.txt"}, "sheets": ["b.txt", "a.txt"]}, {"title": "Two", "sheets": None}]

    done = site.run(json.dumps(rows), "--map", "at.image=cover", "--map", "sheets=pages", name="books.json")

    assert done.exit_code == 0, done.output
    assert site.books()["One"][1] == {"cover": [b"this is a.txt"], "pages": [b"this is b.txt", b"this is a.txt"]}
    assert site.books()["Two"][1] == {"cover": [], "pages": []}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../outside.txt", "import_bad_path"),
        ("deep/../../outside.txt", "import_bad_path"),
        ("/etc/passwd", "import_bad_path"),
        ("deep//c.txt", "import_bad_path"),
        ("..", "import_bad_path"),
        ("nothing.txt", "import_no_file"),
        ("deep", "import_no_file"),
        ("a.txt/b.txt", "import_no_file"),
        ("link.txt", "import_no_file"),
        ("link/outside.txt", "import_no_file"),
        ("pipe", "import_no_file"),
        ("x" * 300, "import_no_file"),
        ("large.txt", "validation_file_size_limit"),
        ("huge.txt", "validation_file_size_limit"),
        ("page.html", "validation_invalid_mime_type"),
        ('["a.txt", "b.txt"]', "validation_too_many_files"),
    ],
)
@pytest.mark.sqlite_only("asks nothing of the database")
def test_refused_paths(site, path, code):
    """A path that leads out, or to what is no fit file, costs its row and no other."""
    (site.files / "link.txt").symlink_to(site.folder / "outside.txt")
    (site.files / "link").symlink_to(site.folder)
    (site.files / "page.html").write_text("<html><p>words</p>")
    (site.files / "large.txt").write_text("x" * 100_001)
    os.mkfifo(site.files / "pipe")
    with (site.files / "huge.txt").open("wb") as huge:
        huge.truncate(1 << 40)

    done = site.run(json.dumps([{"title": "Bad", "cover": path}, {"title": "Good", "cover": "a.txt"}]), name="b.json")

    assert done.exit_code == 1
    assert site.rejected("b.json")["Bad"]["cover"]["code"] == code
    assert list(site.books()) == ["Good"]
    assert len([path for path in site.kept() if path.suffix != ".attrs"]) == 1


def test_no_file_stays_of_a_rejected_row(site):
    """What the checks or the database refuse leaves no file in the store, nor in the way."""
    rows = ["title,cover,code", "One,a.txt,x", ",a.txt,y", "Two,b.txt,x", "Three,b.txt,z"]

    done = site.run("\n".join(rows))

    assert done.output.startswith("4 rows read with 2 files, 0.0 MB: 2 imported, 2 rejected.")
    assert sorted(site.books()) == ["One", "Three"]
    assert len([path for path in site.kept() if path.suffix != ".attrs"]) == 2
    assert not [path for path in (site.data / "storage" / ".staging").rglob("*") if path.is_file()]


def test_dry_run(site):
    """A dry run looks at every file and keeps none."""
    done = site.run("title,cover,code\nOne,a.txt,x\nTwo,nothing.txt,y\nThree,b.txt,x\n", "--dry-run")

    assert done.output.startswith("3 rows read with 1 files, 0.0 MB: 1 would be imported, 2 rejected.")
    assert set(site.rejected()) == {"Two", "Three"}
    assert site.books() == {}
    assert site.kept() == []


def test_other_columns_as_always(site):
    """Dates and records that are looked up come in beside files."""
    rows = [
        {"id": "book00000000001", "title": "One", "code": "1", "cover": "a.txt", "made": "2001-02-03 04:05:06.789Z"},
        {"title": "Two", "cover": "b.txt", "after": "1"},
    ]

    done = site.run(json.dumps(rows), "--map", "after=sequel.code", name="books.json")

    assert done.exit_code == 0, done.output
    books = site.books()
    assert (books["One"][0]["id"], books["One"][0]["made"]) == ("book00000000001", "2001-02-03 04:05:06.789Z")
    assert books["Two"][0]["sequel"] == "book00000000001"
    assert books["Two"][1]["cover"] == [b"this is b.txt"]


def test_many_files(site, monkeypatch):
    """However many rows there are, few copies wait at a time."""
    most, waiting = 0, set()
    discard = Staging.discard

    async def watched(staging, uploads):
        nonlocal most
        if staging._own is not None:
            waiting.update(staging._own.iterdir())
            most = max(most, len(list(staging._own.iterdir())))
        await discard(staging, uploads)

    monkeypatch.setattr(Staging, "discard", watched)

    done = site.run("title,cover\n" + "".join(f"{n},a.txt\n" for n in range(150)))

    assert done.output.startswith("150 rows read with 150 files, 0.0 MB")
    assert 0 < most <= 40
    assert len(waiting) == 150


@pytest.mark.sqlite_only("begins nothing")
def test_without_folder(site):
    """A column cannot go to a file field when nobody says where the files are; one of its name is left out."""
    (site.folder / "books.csv").write_text("title,cover\nOne,a.txt\n")
    arguments = ["books", str(site.folder / "books.csv"), "--dir", str(site.data)]

    plain = CliRunner().invoke(command, arguments)
    mapped = CliRunner().invoke(command, [*arguments, "--map", "cover=cover"])

    assert "Columns that no field takes: cover" in plain.output
    assert "name the folder that they are in with --files" in str(mapped.exception)
