"""Files that were stored before their field was encrypted follow it, and back, while everybody reads and writes."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import time

import pytest
from canaries import files_below, new_canary, sightings
from kept import read
from pictures import encode, quarters
from program import COMMAND, run
from stored import due, stored
from vault import FIELDS, RECORDS, VAULT, Kept, everything_stored, make_vault, put

from undercroft import testing
from undercroft.encryption.lifecycle import add, promote
from undercroft.files.ledger import abandon_due
from undercroft.keys.rows import insert_key, update_keys
from undercroft.records.file_turner import FileTurner
from undercroft.records.file_turning import Turner
from undercroft.records.file_turns import load_turns, wanted_of
from undercroft.testing import File

PLAIN_FIELDS = [{**field, "encrypted": False} for field in FIELDS]
KILLS = int(os.environ.get("DRILL_KILLS", "4"))
PHOTO = encode(quarters(), "image/jpeg")


class Watched:
    """A watcher that counts."""

    def __init__(self):
        self.told = []

    def begin(self, files, size):
        self.told.append((files, size))

    def advance(self, files, size):
        """It is told of the beginning."""


class Claim:
    """A claim that nobody else has."""

    seconds = 8.0

    async def take(self):
        return True


@pytest.fixture
def idle(monkeypatch):
    """No server turns anything by itself."""

    async def wait(_):
        await asyncio.Event().wait()

    monkeypatch.setattr(FileTurner, "run", wait)


@pytest.fixture
async def vault(idle, client):
    """A collection whose fields are not encrypted yet."""
    await make_vault(client, fields=PLAIN_FIELDS)
    return client


async def want(client, fields):
    """Change what the fields want."""
    answer = await client.patch("/api/collections/vault", {"fields": fields}, as_=await client.superuser())
    assert answer.status == 200, answer.text


def turner(client):
    backend = client.backend
    collection = backend.catalog.collection("vault")
    return Turner(backend.engine, backend.files, backend.staging, collection, collection.file_fields)


async def turn(client):
    """Turn everything; what was done."""
    return await turner(client).run(Watched())


async def let_time_pass(client):
    """Have it that nobody reads old versions any more, and what must go then is gone."""
    engine = client.backend.engine
    await engine.write(lambda tx: tx.run('UPDATE "_files_due" SET "due" = 1 WHERE "due" > 0'))
    await engine.write(lambda tx: abandon_due(tx, engine.dialect))
    await client.backend.filing.settle()


async def test_there_and_back(vault, tmp_path):
    """Old files are encrypted when their field is, and decrypted again: same addresses, same content, no leftovers."""
    canary = new_canary()
    kept = await put(vault, doc=File("a.txt", canary.encode()), docs=[File("b", b"b"), File("c", bytes(200_000))])
    before, told = await stored(vault), dict((await kept.get()).headers)

    await want(vault, FIELDS)
    encrypted = await turn(vault)
    sealed = await kept.get()
    await let_time_pass(vault)

    assert (encrypted.files, encrypted.size, encrypted.failed) == (3, len(canary) + 1 + 200_000, {})
    assert (sealed.body, sealed.headers["content-type"]) == (canary.encode(), told["content-type"])
    assert sealed.headers["etag"] != told["etag"]
    assert (await kept.get()).body == canary.encode()
    assert sightings([canary], [*files_below(tmp_path), *await everything_stored(vault)]) == []
    assert len(await stored(vault)) == 3
    assert (await turn(vault)).files == 0

    await want(vault, PLAIN_FIELDS)
    decrypted = await turn(vault)
    await let_time_pass(vault)

    assert (decrypted.files, decrypted.failed) == (3, {})
    assert await stored(vault) == before
    after = await vault.get(kept.path(), download="original")
    assert (after.body, after.headers["etag"]) == (canary.encode(), told["etag"])
    assert after.headers["content-disposition"] == 'attachment; filename="a.txt"'
    assert await vault.backend.engine.read('SELECT "key" FROM "_sealed_files"') == []
    assert await due(vault) == []


async def test_there_and_back_at_once(vault):
    """A file that turns back before its old version has gone is there all the while."""
    kept = await put(vault, doc=b"content")
    for fields in (FIELDS, PLAIN_FIELDS, FIELDS, PLAIN_FIELDS):
        await want(vault, fields)
        assert (await turn(vault)).files == 1
        assert (await kept.get()).body == b"content"
    await let_time_pass(vault)

    assert (await kept.get()).body == b"content"
    assert len(await stored(vault)) == 1


async def test_thumbs_follow(vault):
    """Thumbs in clear go with the plain image, and encrypted ones are made anew."""
    kept = await put(vault, photo=File("Photo.jpg", PHOTO))
    assert (await vault.get(kept.path("photo"), thumb="40x20")).status == 200
    await want(vault, FIELDS)
    await turn(vault)
    assert (await vault.get(kept.path("photo"), thumb="40x20")).status == 200
    await let_time_pass(vault)

    there = await everything_stored(vault)
    assert len(there) == 2
    assert not any(b"\xff\xd8\xff" in content for _, content in there)


async def test_only_some_fields(vault):
    """Files of fields that stay as they are stay as they are."""
    kept = await put(vault, doc=b"doc", plain=b"plain")
    await want(vault, FIELDS)
    await turn(vault)

    assert await kept.row("doc") is not None
    assert await kept.row("plain") is None


async def test_reading_while_they_turn(vault, seed):
    """Whoever reads while files turn gets what was there, every time, also what he has begun to read before."""
    chance = random.Random(seed)
    contents = [chance.randbytes(chance.randrange(300_000)) for _ in range(6)]
    kept = [await put(vault, doc=content) for content in contents]
    store, reads, wrong = vault.backend.files, 0, []
    begun = [await store.find(each.key()) for each in kept]

    async def read_on():
        nonlocal reads
        while True:
            number = chance.randrange(len(kept))
            answer = await kept[number].get()
            reads += 1
            if (answer.status, answer.body) != (200, contents[number]):
                wrong.append((answer.status, number))

    reading = [asyncio.create_task(read_on()) for _ in range(4)]
    await want(vault, FIELDS)
    there = await turn(vault)
    late = [await read(store, file) for file in begun]
    await want(vault, PLAIN_FIELDS)
    back = await turn(vault)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)

    assert (there.files, back.files, wrong) == (6, 6, [])
    assert late == contents
    assert reads > 6


async def test_a_record_that_goes_meanwhile(vault, monkeypatch):
    """A file whose record is deleted while it turns is not there afterwards, in no version."""
    kept = await put(vault, doc=b"content")
    await want(vault, FIELDS)
    store, put_stream = vault.backend.files, vault.backend.files.put_stream

    async def put_and_delete(*arguments):
        await put_stream(*arguments)
        assert (await vault.delete(f"{RECORDS}/{kept.id}")).status == 204

    monkeypatch.setattr(store, "put_stream", put_and_delete)
    turned = await turn(vault)

    assert (turned.files, turned.failed) == (0, {})
    assert (await stored(vault), await due(vault)) == ([], [])
    assert await vault.backend.engine.read('SELECT "key" FROM "_sealed_files"') == []


async def test_two_at_once(vault):
    """Two who turn the same files do it once."""
    kept = [await put(vault, doc=b"%d" % number) for number in range(5)]
    await want(vault, FIELDS)

    one, other = await asyncio.gather(turn(vault), turn(vault))
    await let_time_pass(vault)

    assert one.files + other.files == 5
    assert (one.failed, other.failed) == ({}, {})
    assert len(await stored(vault)) == 5
    assert [(await each.get()).body for each in kept] == [b"%d" % number for number in range(5)]


@pytest.mark.sqlite_only("about the bytes of files")
@pytest.mark.local_only("a bucket tells by itself")
async def test_a_damaged_file(vault, tmp_path):
    """A plain file that is not what was stored is left as it is, and said to be damaged."""
    kept = await put(vault, doc=b"content")
    (tmp_path / "storage" / kept.key()).write_bytes(b"altered")
    await want(vault, FIELDS)

    turned = await turn(vault)

    assert list(turned.failed) == [kept.key()]
    assert await kept.row() is None
    assert not turned.is_complete


async def test_a_server_does_it_by_itself(client):
    """A running server has files follow their field, and writes down how far it is."""
    await make_vault(client, fields=PLAIN_FIELDS)
    kept = await put(client, doc=b"content")
    await want(client, FIELDS)
    for _ in range(400):
        turns = await load_turns(client.backend.engine.read)
        if VAULT["id"] in turns and await kept.row() is not None:
            break
        await asyncio.sleep(0.05)

    assert (await kept.get()).body == b"content"
    assert await kept.row() is not None
    turn = turns[VAULT["id"]]
    assert turn.state in {"running", "done"}
    assert turn.wanted == wanted_of(client.backend.catalog.collection("vault"))


async def test_what_the_turner_writes_down(vault):
    """When nothing is left to turn that is written down, and not looked for again before something changes."""
    await put(vault, doc=b"content")
    await want(vault, FIELDS)
    turner = FileTurner(vault.backend, Claim(), grace=0)
    await turner.look()
    turn = (await load_turns(vault.backend.engine.read))[VAULT["id"]]

    assert (turn.state, turn.total, turn.done, turn.note) == ("done", 1, 1, "")
    assert (await vault.delete("/api/collections/vault", as_=await vault.superuser())).status == 204
    await turner.look()
    assert await load_turns(vault.backend.engine.read) == {}


async def test_keys_turn_and_files_stay(vault):
    """With a new key of the collection the keys of files are wrapped anew, and no file is stored anew."""
    await want(vault, FIELDS)
    kept = [await put(vault, doc=b"%d" % number, photo=File("p.jpg", PHOTO)) for number in range(3)]
    assert (await vault.get(kept[0].path("photo"), thumb="40x20")).status == 200
    before = await everything_stored(vault)
    engine, keyring = vault.backend.engine, vault.backend.keyring
    keys = keyring.key_set("file", VAULT["id"])
    more, fresh = add(keys, "AES256_GCM_HKDF_STREAM")

    async def write(tx):
        await insert_key(tx, engine.dialect, more, fresh, keyring.root_key)
        await update_keys(tx, engine.dialect, more, promote(more, fresh.id))

    await engine.write(write)
    keyring.revision = -1
    await keyring.refresh()
    await FileTurner(vault.backend, Claim(), grace=0).look()

    under = await engine.read('SELECT DISTINCT "key_id" FROM "_sealed_files"')
    assert under == [(fresh.id,)]
    assert await everything_stored(vault) == before
    assert [(await each.get()).body for each in kept] == [b"0", b"1", b"2"]
    assert (await vault.get(kept[0].path("photo"), thumb="40x20")).status == 200


async def fill(folder, contents):
    """Put files into a vault whose fields want them encrypted only then; the records."""
    async with testing.client(folder) as client:
        await make_vault(client, fields=PLAIN_FIELDS)
        records = [(await put(client, doc=content)).record for content in contents]
        await want(client, FIELDS)
    return records


async def contents_of(folder, records):
    """What a server gives out of the files of these records."""
    async with testing.client(folder) as client:
        return [(await Kept(client, record).get()).body for record in records]


@pytest.mark.sqlite_only("about the command")
@pytest.mark.local_only("about the command")
def test_commands(idle, tmp_path):
    """The commands do it without a server, and leave nothing of what was."""
    canary, data = new_canary(), tmp_path / "data"
    records = asyncio.run(fill(data, [canary.encode()]))

    done = run("files", "encrypt", "vault", "--field", "doc", folder=tmp_path)
    wrong = run("files", "decrypt", "vault", "--field", "doc", folder=tmp_path)
    unknown = run("files", "encrypt", "vault", "--field", "dock", folder=tmp_path)
    checked = run("files", "check", "--deep", folder=tmp_path)

    assert (done.returncode, done.stdout) == (0, f"1 files with {len(canary)} bytes were encrypted.\n")
    assert sightings([canary], files_below(data)) == []
    assert wrong.returncode != 0
    assert "take it away first" in wrong.stderr
    assert "doc" in unknown.stderr
    assert checked.returncode == 0, checked.stdout
    assert asyncio.run(contents_of(data, records)) == [canary.encode()]


@pytest.mark.slow
@pytest.mark.sqlite_only("about files, whatever holds the records")
@pytest.mark.local_only("kills the command many times")
def test_killed_while_they_turn(idle, tmp_path, seed):
    """However often the work is killed nothing is lost, and in the end all is as it should be."""
    chance, canary, data = random.Random(seed), new_canary(), tmp_path / "data"
    contents = [canary.encode() + chance.randbytes(chance.randrange(2_000_000)) for _ in range(24)]
    records, kills = asyncio.run(fill(data, contents)), 0
    for _ in range(KILLS):
        command = [COMMAND, "files", "encrypt", "vault"]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            time.sleep(chance.uniform(0.7, 2.0))
            kills += process.poll() is None
            process.kill()
        assert asyncio.run(contents_of(data, records)) == contents
    done = run("files", "encrypt", "vault", folder=tmp_path)
    print(f"killed {kills} times")  # noqa: T201 - what who runs this wants to know

    assert done.returncode == 0, done.stderr
    assert sightings([canary], files_below(data)) == []
    assert run("files", "check", "--deep", folder=tmp_path).returncode == 0
