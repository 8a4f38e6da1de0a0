"""A database that is put back as it was yesterday does not bring back whom it had and who was erased today."""

from __future__ import annotations

import shutil
from urllib.parse import urlsplit

import pytest
from coming_along import settle
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from undercroft.encryption.receipts import parse_receipt, receipt_text, sign, verify
from undercroft.keys.changing import SetOf, destroy_key, disable_key
from undercroft.keys.receipt_key import load_receipt_key
from undercroft.keys.rotation import rotate_key
from undercroft.keys.tombstones import FILE_NAME, BadTombstones, Tombstones
from undercroft.testing import SUPERUSER, client

pytestmark = pytest.mark.anyio
FIELDS = [
    {"name": "diary", "type": "text", "encrypted": {"shred": "id", "search": "equality"}},
    {"name": "n", "type": "number"},
]
PEOPLE = {"name": "people", "fields": FIELDS, "listRule": "", "createRule": ""}
RECORDS = "/api/collections/people/records"


class Yesterday:
    """A copy of a database, and of the data directory beside it without what was written there since."""

    def __init__(self, tmp_path, database, postgres):
        self.folder, self.database, self._postgres = tmp_path / "data", database, postgres
        self._copy = tmp_path / "yesterday"

    def take(self):
        """Keep everything as it is."""
        if self.database:
            self._name = f"{self._name_of(self.database)}_kept"
            self._postgres.run(f'CREATE DATABASE "{self._name}" TEMPLATE "{self._name_of(self.database)}"')
        else:
            shutil.copytree(self.folder, self._copy)

    def put_back(self):
        """Have the database as it was kept."""
        if self.database:
            self.database = self._postgres.url(self._name)
            return
        for path in self.folder.glob("data.db*"):
            path.unlink()
        for path in self._copy.glob("data.db*"):
            shutil.copy(path, self.folder / path.name)

    @staticmethod
    def _name_of(url):
        return urlsplit(url).path.removeprefix("/")


@pytest.fixture
async def day(request, tmp_path, database):
    """Two people with diaries, kept as they were yesterday; Ann is `people0` and Ben is `people1`."""
    yesterday = Yesterday(tmp_path, database, request.getfixturevalue("postgres") if database else None)
    async with opened(yesterday) as server:
        root = await server.superuser()
        assert (await server.post("/api/collections", PEOPLE, as_=root)).status == 200
        for n, text in enumerate(("dear diary", "day one")):
            body = {"id": f"people{n}00000000", "diary": text, "n": n}
            assert (await server.post(RECORDS, body)).status == 200
    yesterday.take()
    return yesterday


def opened(day):
    return client(day.folder, day.database)


async def erase(server, subject="people000000000"):
    answer = await server.delete(f"/api/encryption/subjects/{subject}", as_=await login(server))
    assert answer.status == 200, answer.text
    return answer.json["receipt"]


async def login(server):
    return await server.login("_superusers", *SUPERUSER)


async def diaries(server, **query):
    answer = await server.get(RECORDS, sort="n", **query)
    assert answer.status == 200, answer.text
    return [item["diary"] for item in answer.json["items"]]


async def test_who_was_erased_stays_it(day):
    """The key is destroyed again before the server answers, the receipt is good, and others are as they were."""
    async with opened(day) as server:
        receipt = await erase(server)
    day.put_back()

    async with opened(day) as server:
        assert await diaries(server) == ["", "day one"]
        assert await diaries(server, filter="diary = 'dear diary'") == []
        assert await diaries(server, filter="diary = 'day one'") == ["day one"]
        listed = await server.get("/api/encryption/subjects", as_=await login(server))
        rows = await server.backend.engine.read('SELECT "scope", "wrapped" FROM "_subject_keys" ORDER BY "scope"')

    assert [each["receipt"] for each in listed.json] == [receipt]
    assert [bool(wrapped) for _, wrapped in rows] == [False, True]


async def test_who_was_erased_after_keys_turned(day):
    """A database from before the key of the system turned knows what was signed after that key was destroyed."""
    async with opened(day) as server:
        keys = SetOf(server.backend.engine, server.backend.keyring, "system", "")
        turned = await rotate_key(keys)
        await settle(server.backend)
        await disable_key(keys, turned.old_id)
        await destroy_key(keys, turned.old_id, is_early=True)
        await erase(server)
    day.put_back()

    async with opened(day) as server:
        assert await diaries(server) == ["", "day one"]


@pytest.mark.sqlite_only("looks into the files of SQLite")
async def test_no_byte_of_the_key_is_left(day):
    """The wrapped key is in no file of the data directory, the log of the database among them."""
    async with opened(day) as server:
        rows = await server.backend.engine.read(
            'SELECT "wrapped" FROM "_subject_keys" WHERE "scope" LIKE \'%/people0%\''
        )
        wrapped = rows[0][0].encode()
        before = [path.name for path in day.folder.rglob("*") if path.is_file() and wrapped in path.read_bytes()]
        await erase(server)
        after = [path.name for path in day.folder.rglob("*") if path.is_file() and wrapped in path.read_bytes()]

    assert before
    assert after == []


async def test_the_file_comes_back(day):
    """What the database knows is written beside it again, where the file was lost."""
    async with opened(day) as server:
        receipt = await erase(server)
    path = day.folder / FILE_NAME
    path.unlink()

    async with opened(day):
        kept = parse_receipt(path.read_bytes().strip())

    verify(kept)
    assert kept.signature == receipt["signature"]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_line_that_was_cut(day):
    """A machine that went down in the middle of a line leaves half of one, which is written anew."""
    async with opened(day) as server:
        await erase(server)
        await erase(server, "people100000000")
    path = day.folder / FILE_NAME
    path.write_bytes(path.read_bytes()[:-20])

    async with opened(day) as server:
        assert await diaries(server) == ["", ""]

    assert len(Tombstones(day.folder).load()) == 2


def _forge(content, subject="people100000000"):
    """A line about somebody, signed, but not by this server."""
    receipt = replace(parse_receipt(content.strip()), subject=subject)
    return f"{receipt_text(sign(receipt, Ed25519PrivateKey.generate()))}\n".encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b'"people0', b'"people1'),
        lambda content: b"x" + content,
        _forge,
        lambda content: content + _forge(content),
    ],
    ids=["subject", "no JSON", "signed by another", "one more"],
)
async def test_a_line_that_was_altered(day, change):
    """Nothing starts while somebody who was erased could come back unnoticed, and nobody is erased by a stranger."""
    async with opened(day) as server:
        await erase(server)
    path = day.folder / FILE_NAME
    path.write_bytes(change(path.read_bytes()))
    day.put_back()

    with pytest.raises(BadTombstones):
        async with opened(day):
            pass


async def test_a_file_of_another_app(day):
    """Receipts of another app are none of ours, whatever they name."""
    async with opened(day) as server:
        await erase(server)
        engine = server.backend.engine
        signer = await load_receipt_key(engine.read, engine.dialect, engine.texts)
    day.put_back()
    path = day.folder / FILE_NAME
    other = sign(replace(parse_receipt(path.read_bytes().strip()), app="another"), signer)
    path.unlink()
    Tombstones(day.folder).add([other])

    async with opened(day) as server:
        assert await diaries(server) == ["dear diary", "day one"]
