"""`undercroft files check`: what it finds, and what it repairs."""

from __future__ import annotations

import shutil

import pytest
from kept import facts_of, keep
from program import run
from stored import keys_of, stored

from undercroft import testing
from undercroft.files.ledger import hold_files
from undercroft.records.reconcile import Check, count_records
from undercroft.testing import File

PATH = "/api/collections/things/records"
FIELDS = [{"name": "one", "type": "file"}, {"name": "many", "type": "file", "maxSelect": 4}]
THINGS = {"name": "things", "type": "base", "fields": FIELDS, "createRule": "", "deleteRule": ""}


class Silent:
    """Nobody who watches."""

    def listed(self, files, size):
        pass

    def looked_at(self, records, names):
        pass


@pytest.fixture
async def things(client):
    root = await client.superuser()
    await client.post("/api/collections", THINGS, as_=root)
    return client


async def add(client, *names):
    files = [File(f"{name}.txt", name.encode()) for name in names]
    answer = await client.post(PATH, form={"one": files[0], "many": files[1:]})
    assert answer.status == 200
    return answer.json


async def check(client, *, is_deep=False):
    backend = client.backend
    await backend.filing.settle()
    found = [finding async for finding in Check(backend.engine, backend.files, Silent(), is_deep).run()]
    return sorted((finding.kind, finding.key) for finding in found)


async def test_all_is_well(things):
    """Where records and files agree nothing is found, whatever came and went before."""
    first, second = await add(things, "aaa", "bbb", "ccc"), await add(things, "ddd")
    await things.delete(f"{PATH}/{second['id']}")

    assert await check(things, is_deep=True) == []
    assert await count_records(things.backend.engine) == 1
    assert await stored(things) == keys_of(first, "one", "many")


async def test_orphans(things, tmp_path):
    """A file that no record names is an orphan, whether its record, its collection or only its name is unknown."""
    record = await add(things, "aaa")
    folder = f"{record['collectionId']}/{record['id']}"
    strangers = [f"{folder}/x.txt", f"{record['collectionId']}/nosuch/x.txt", "pbc_0/nosuch/x.txt"]
    for key in strangers:
        await keep(things.backend.files, tmp_path, key)

    assert await check(things) == sorted(("orphan", key) for key in strangers)


async def test_thumbs_belong_to_their_file(things, tmp_path):
    """What was made from a file that is named is no orphan; what was made from another is one with it."""
    record = await add(things, "aaa")
    folder = f"{record['collectionId']}/{record['id']}"
    await keep(things.backend.files, tmp_path, f"{folder}/thumbs_{record['one']}/1x1_{record['one']}")
    await keep(things.backend.files, tmp_path, f"{folder}/thumbs_x.png/1x1_x.png")

    assert await check(things) == [("orphan", f"{folder}/x.png")]


async def test_what_is_on_its_way_is_no_orphan(things, tmp_path):
    """A file that a write is about to name is left alone."""
    engine = things.backend.engine
    await engine.write(lambda tx: hold_files(tx, engine.dialect, ["pbc_0/r/x.txt"]))
    await keep(things.backend.files, tmp_path, "pbc_0/r/x.txt")

    assert await check(things) == []


async def test_missing_and_foreign(things, tmp_path):
    """A file that is named and not there is missing; what lies in no record's place is somebody else's."""
    record = await add(things, "aaa", "bbb")
    missing, _ = keys_of(record, "one", "many")
    await things.backend.files.delete([missing])
    await keep(things.backend.files, tmp_path, "other/place")
    await keep(things.backend.files, tmp_path, "one/more/odd/place")

    assert await check(things) == [("foreign", "one/more/odd/place"), ("foreign", "other/place"), ("missing", missing)]


@pytest.mark.local_only
@pytest.mark.parametrize("content", [b"AAA", b"aa", b"aaaa", b""])
async def test_damage(things, content):
    """A file whose bytes have changed is found by reading it."""
    record = await add(things, "aaa")
    (key,) = keys_of(record, "one")
    (things.backend.directory / "storage" / key).write_bytes(content)

    assert await check(things) == []
    assert await check(things, is_deep=True) == [("damaged", key)]


@pytest.mark.local_only
async def test_a_side_file_waits_for_its_file(things):
    """What is known of a missing file is kept, for it may come back from a backup."""
    record = await add(things, "aaa")
    (key,) = keys_of(record, "one")
    path = things.backend.directory / "storage" / key
    path.unlink()

    assert await check(things) == [("missing", key)]
    path.write_bytes(b"aaa")
    assert await check(things, is_deep=True) == []


async def test_many_files(things, tmp_path):
    """More files than are looked up at once are each found in their place."""
    engine, store = things.backend.engine, things.backend.files
    records = [await add(things, "aaa", "bbb") for _ in range(120)]
    strangers = [f"{records[0]['collectionId']}/r{number}/x.txt" for number in range(210)]
    for key in strangers:
        await keep(store, tmp_path, key, b"x", facts_of(b"x"))

    assert await check(things) == sorted(("orphan", key) for key in strangers)
    assert await count_records(engine) == 120


@pytest.mark.sqlite_only("the command is the same on both engines")
@pytest.mark.local_only
async def test_the_command(tmp_path, database, files_url):
    """The command tells what it finds, deletes orphans when asked to, and exits with 1 while something is wrong."""
    async with testing.client(tmp_path / "data", database) as client:
        await client.post("/api/collections", THINGS, as_=await client.superuser())
        record = await add(client, "aaa", "bbb")
    good = run("files", "check", folder=tmp_path)
    one, many = keys_of(record, "one", "many")
    storage = tmp_path / "data" / "storage"
    (storage / many).write_bytes(b"BBB")
    shutil.copytree(storage / record["collectionId"], storage / "pbc_0")
    found = run("files", "check", "--deep", folder=tmp_path)
    repaired = run("files", "check", "--repair", folder=tmp_path)

    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, "The files and the records agree.")
    assert found.returncode == 1
    assert {line.partition(":")[0] for line in found.stdout.splitlines()[:3]} == {"orphan", "damaged"}
    assert (repaired.returncode, "2 orphans were deleted." in repaired.stdout) == (0, True)
    assert not (storage / "pbc_0").exists()
    assert (storage / one).exists()
