"""`undercroft export --encrypt` and back: nothing is in clear on the way, and nothing is stored of what is not whole."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pyrage
import pytest
from canaries import new_canary, sightings
from click.testing import CliRunner

from undercroft import testing
from undercroft.cli.exporting import command as export_command
from undercroft.cli.importing import command as import_command
from undercroft.cli.keys import command as keys_command
from undercroft.encryption.failures import KeyDisabled
from undercroft.keys.parcels import ParcelDamaged, ParcelShut

FIELDS = [
    {"name": "name", "type": "text"},
    {"name": "note", "type": "text", "encrypted": True},
    {"name": "meta", "type": "json"},
]
LETTERS = {"name": "letters", "fields": FIELDS}
LOCKS = ("ring", "age", "passphrase")


@dataclass
class House:
    """A data directory with letters, and the ways to lock what leaves it."""

    folder: Path
    database: str
    canary: str

    def client(self):
        return testing.client(self.folder, self.database)

    def run(self, command, *arguments, stdin=None):
        place = ["--dir", self.folder, *(["--database", self.database] if self.database else [])]
        return CliRunner().invoke(command, [*map(str, [*arguments, *place])], input=stdin)

    def secret(self, name, text):
        path = self.folder.parent / name
        path.write_text(text)
        return path

    def locked(self, lock):
        """How an export is told of a lock."""
        recipient = str(pyrage.x25519.Identity.from_str(self.identity.read_text()).to_public())
        return {
            "ring": ["--encrypt"],
            "age": ["--recipient", recipient],
            "passphrase": ["--passphrase-file", self.phrase],
        }[lock]

    def opened(self, lock):
        """How an import is told of what opens it."""
        return {"ring": [], "age": ["--age-identity", self.identity], "passphrase": ["--passphrase-file", self.phrase]}[
            lock
        ]

    @property
    def identity(self):
        return self.folder.parent / "identity"

    @property
    def phrase(self):
        return self.folder.parent / "phrase"

    def export(self, lock, name="letters.jsonl.sealed"):
        file = self.folder.parent / name
        done = self.run(export_command, "letters", file, *self.locked(lock))
        assert done.exit_code == 0, done.output
        return file

    def stored(self):
        async def read():
            async with self.client() as client:
                answer = await client.get("/api/collections/letters/records", as_=await client.superuser(), perPage=500)
                return {item["id"]: (item["name"], item["note"], item["meta"]) for item in answer.json["items"]}

        return asyncio.run(read())

    def empty(self):
        async def act():
            async with self.client() as client:
                await client.delete("/api/collections/letters/truncate", as_=await client.superuser())

        asyncio.run(act())


@pytest.fixture
def house(tmp_path, database):
    """Three hundred letters, an age identity and a passphrase."""
    made = House(tmp_path / "data", database, new_canary())
    made.secret("identity", str(pyrage.x25519.Identity.generate()))
    made.secret("phrase", "a long way to the sea\n")

    async def make():
        async with made.client() as client:
            root = await client.superuser()
            assert (await client.post("/api/collections", LETTERS, as_=root)).status == 200
            await client.patch("/api/settings", {"batch": {"enabled": True, "maxRequests": 300}}, as_=root)
            bodies = [{"name": f"n{n}", "note": f"{made.canary} {n} {'x' * 400}", "meta": {"n": n}} for n in range(300)]
            url = "/api/collections/letters/records"
            requests = [{"method": "POST", "url": url, "body": body} for body in bodies]
            answer = await client.post("/api/batch", {"requests": requests}, as_=root)
            assert answer.status == 200, answer.text

    (tmp_path / "data").mkdir()
    asyncio.run(make())
    return made


@pytest.mark.parametrize("lock", LOCKS)
def test_out_and_in_again(house, lock):
    """What was exported encrypted comes back as it was, and is nowhere in clear on the way."""
    before = house.stored()
    file = house.export(lock)
    house.empty()

    done = house.run(import_command, "letters", file, *house.opened(lock))

    assert (done.exit_code, done.output) == (0, "300 rows read: 300 imported, 0 rejected.\n")
    assert house.stored() == before
    assert sightings([house.canary], [(file.name, file.read_bytes())]) == []
    assert file.read_bytes()[:4] == b"UCS1"


@pytest.mark.sqlite_only("about a file, whatever holds the records")
@pytest.mark.parametrize(("name", "start"), [("a.csv.sealed", "id,name"), ("a.json.sealed", "["), ("a.sealed", "id,")])
def test_formats(house, name, start):
    """What is inside is told by the name before the ending, and by the file itself when it is read."""
    file = house.export("ring", name)
    renamed = file.rename(file.with_name("something"))
    house.empty()

    assert house.run(import_command, "letters", renamed).exit_code == 0
    assert len(house.stored()) == 300
    assert start


@pytest.mark.sqlite_only("about a file, whatever holds the records")
def test_through_a_pipe(house):
    """Encrypted and opened on the way through pipes, too."""
    before = house.stored()
    file = house.export("passphrase")
    house.empty()

    done = house.run(import_command, "letters", "-", *house.opened("passphrase"), stdin=file.read_bytes())

    assert done.exit_code == 0, done.output
    assert house.stored() == before


@pytest.mark.parametrize("lock", LOCKS)
def test_what_is_not_whole_stores_nothing(house, lock, seed):
    """Cut anywhere, or with any byte changed, a file is refused before its first row is stored."""
    chance = Random(seed)
    whole = house.export(lock).read_bytes()
    house.empty()
    cuts = [whole[:at] for at in (5, 43, 200, len(whole) - 1, *(chance.randrange(5, len(whole)) for _ in range(3)))]
    flipped = []
    for at in (4, 10, len(whole) - 1, *(chance.randrange(4, len(whole)) for _ in range(4))):
        changed = bytearray(whole)
        changed[at] ^= 1 << chance.randrange(8)
        flipped.append(bytes(changed))

    for content in [*cuts, *flipped, whole + b"x"]:
        file = house.folder.parent / "damaged.jsonl.sealed"
        file.write_bytes(content)
        done = house.run(import_command, "letters", file, *house.opened(lock))
        assert isinstance(done.exception, ParcelDamaged | ParcelShut), (len(content), done.output, done.exception)

    assert house.stored() == {}


@pytest.mark.sqlite_only("about a file, whatever holds the records")
@pytest.mark.parametrize(("said", "instead"), [(b'"lanes":1', b'"lanes":5'), (b'"passes":3', b'"passes":0')])
def test_a_passphrase_stretched_as_nobody_would(house, said, instead):
    """A file whose header asks for what no header of ours does is damaged; the passphrase is not to blame."""
    file = house.export("passphrase")
    file.write_bytes(file.read_bytes().replace(said, instead, 1))

    done = house.run(import_command, "letters", file, *house.opened("passphrase"))

    assert isinstance(done.exception, ParcelDamaged)


@pytest.mark.parametrize("lock", LOCKS)
def test_another_key_stores_nothing(house, lock, tmp_path, monkeypatch):
    """Whoever has another root key, identity or passphrase, or none, is told what is wanted."""
    file = house.export(lock)
    other = House(tmp_path / "other" / "data", "", "")
    (tmp_path / "other").mkdir()
    other.secret("identity", str(pyrage.x25519.Identity.generate()))
    other.secret("phrase", "another one")
    monkeypatch.delenv("UNDERCROFT_ROOT_KEY", raising=False)
    asyncio.run(begin(other))

    given = [other.opened(lock), *([[]] if lock != "ring" else [])]
    done = [other.run(import_command, "letters", file, *options) for options in given]

    assert all(isinstance(each.exception, ParcelShut) for each in done), done
    assert other.stored() == {}


@pytest.mark.sqlite_only("about a file, whatever holds the records")
def test_the_root_key_is_enough(house, tmp_path):
    """When the database is lost, whoever has the root key opens what was exported from it."""
    before = house.stored()
    file = house.export("ring")
    other = House(tmp_path / "other", "", "")
    (tmp_path / "other").mkdir()
    shutil.copy(house.folder / "root.key", other.folder / "root.key")
    asyncio.run(begin(other))

    done = other.run(import_command, "letters", file)

    assert done.exit_code == 0, done.output
    assert other.stored() == before


def test_a_key_that_is_disabled_opens_nothing(house):
    """A backup key that was turned still opens; one that was disabled does not."""
    file = house.export("ring")
    keys = json.loads(house.run(keys_command, "list", "--json").output)["keys"]
    old = next(key["id"] for key in keys if key["purpose"] == "backup")
    house.empty()
    assert house.run(keys_command, "rotate", "backup").exit_code == 0
    opened = house.run(import_command, "letters", file)
    house.empty()
    assert house.run(keys_command, "disable", old).exit_code == 0
    shut = house.run(import_command, "letters", file)

    assert opened.exit_code == 0, opened.output
    assert isinstance(shut.exception, KeyDisabled)
    assert house.stored() == {}


@pytest.mark.sqlite_only("about options")
def test_recipients_or_a_passphrase(house):
    """A file has one kind of lock; what is no recipient is refused."""
    both = house.run(export_command, "letters", "x", *house.locked("age"), *house.locked("passphrase"))
    odd = house.run(export_command, "letters", "x", "--recipient", "age1nobody")

    assert both.exit_code == 2
    assert isinstance(odd.exception, ParcelShut)
    assert not Path("x").exists()


async def begin(house):
    """Data with the same collection, and without letters."""
    async with house.client() as client:
        answer = await client.post("/api/collections", LETTERS, as_=await client.superuser())
        assert answer.status == 200, answer.text
