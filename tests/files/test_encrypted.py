"""Files of encrypted fields: stored so that only the server can read them, and served as all others are."""

from __future__ import annotations

import json
from random import Random

import pytest
from canaries import files_below, new_canary, sightings
from kept import md5
from pictures import QUARTERS, colors, encode, opened, quarters
from stored import due, stored, waiting
from vault import RECORDS, RULES, VAULT, everything_stored, make_vault, put, stored_bytes

from undercroft.database.changes import Change, append_change
from undercroft.encryption.failures import KeysUnavailable
from undercroft.encryption.lifecycle import add, disable, promote
from undercroft.encryption.streams import SEGMENT
from undercroft.keys.rows import insert_key, update_keys
from undercroft.testing import File

EDGES = [0, 1, SEGMENT - 57, SEGMENT - 56, SEGMENT - 55, SEGMENT, 2 * SEGMENT - 73, 2 * SEGMENT - 72, 300_000]
PHOTO = encode(quarters(), "image/jpeg")


@pytest.fixture
async def vault(client):
    await make_vault(client)
    return client


@pytest.mark.sqlite_only("about bytes, whatever holds the records")
@pytest.mark.parametrize("size", EDGES)
async def test_round_trip(vault, size):
    """A file of any length comes back as it was, and is stored as something else."""
    content = Random(size).randbytes(size)
    kept = await put(vault, doc=content)

    answer = await kept.get()
    sealed = await stored_bytes(vault, await kept.stored_key())

    assert (answer.status, answer.body) == (200, content)
    assert answer.headers["content-length"] == str(size)
    assert len(sealed) >= size + 56
    assert size < 100 or content[:100] not in sealed


async def test_what_is_known_of_a_file(vault):
    """Type, name and length are those of the content; the store below knows none of them, and no checksum."""
    content = b"%PDF-1.4\n" + bytes(1000)
    kept = await put(vault, doc=File("Annual Report.pdf", content))

    answer = await vault.get(kept.path(), download="original")
    outside = await vault.backend.files.inner.find(await kept.stored_key())

    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="Annual Report.pdf"'
    assert kept.name().startswith("annual_report_")
    assert (outside.facts.type, outside.facts.original_name) == ("application/octet-stream", kept.name())
    assert md5(content) not in (outside.facts.md5, outside.etag, answer.headers["etag"].strip('"'))


async def test_names_can_be_hidden(vault):
    """Where names are hidden the record has one that tells the kind of the file alone; who may read it gets the old."""
    kept = await put(vault, covert=File("Dismissal of Smith.pdf", b"%PDF-1.4\n"))

    answer = await vault.get(kept.path("covert"), download="original")

    assert "smith" not in kept.name("covert")
    assert kept.name("covert").endswith(".pdf")
    assert answer.headers["content-disposition"] == 'attachment; filename="Dismissal of Smith.pdf"'


async def test_definition(vault):
    """The option is part of the field's JSON where it is set, and of no other's."""
    root = await vault.superuser()
    fields = (await vault.get("/api/collections/vault", as_=root)).json["fields"]
    told = {field["name"]: field.get("encrypted") for field in fields if field["type"] == "file"}

    assert told == {"doc": True, "docs": True, "photo": True, "covert": {"hideNames": True}, "plain": None}


@pytest.mark.parametrize("option", [1, "yes", [], {"hideNames": 1}, {"search": "equality"}])
async def test_no_such_option(client, option):
    """What the option cannot be is refused."""
    field = {"name": "doc", "type": "file", "encrypted": option}
    made = {"name": "odd", "fields": [field]}
    answer = await client.post("/api/collections", made, as_=await client.superuser())

    assert (answer.status, answer.error.code) == (400, "bad_definition")


async def test_versions_have_random_tags(vault):
    """Two files of one content have different tags, and a tag is good for conditions."""
    one, other = await put(vault, doc=b"the same"), await put(vault, doc=b"the same")
    tags = [(await each.get()).headers["etag"] for each in (one, other)]

    same = await one.get(headers={"if-none-match": tags[0]})
    changed = await one.get(headers={"if-none-match": tags[1]})

    assert tags[0] != tags[1]
    assert (same.status, changed.status, changed.body) == (304, 200, b"the same")


async def test_head(vault):
    """HEAD tells the length of the content."""
    kept = await put(vault, doc=bytes(100_000))

    answer = await vault.request("HEAD", kept.path())

    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "100000", b"")
    assert answer.headers["accept-ranges"] == "bytes"


async def test_a_plain_field_beside_it(vault):
    """Fields that are not encrypted are stored as they were."""
    kept = await put(vault, doc=b"secret", plain=b"for all")

    assert await kept.row("plain") is None
    assert await stored_bytes(vault, kept.key("plain")) == b"for all"
    assert (await kept.get("plain")).body == b"for all"


async def test_thumbs(vault):
    """A thumb of an encrypted image is made, served and stored encrypted, each with a beginning of its own."""
    kept = await put(vault, photo=File("Photo.jpg", PHOTO))

    thumb = await vault.get(kept.path("photo"), thumb="40x20")
    again = await vault.get(kept.path("photo"), thumb="40x20")
    there = dict(await everything_stored(vault))

    assert (thumb.status, thumb.headers["content-type"], opened(thumb.body).size) == (200, "image/jpeg", (40, 20))
    assert colors(opened(thumb.body)) == QUARTERS
    assert again.body == thumb.body
    assert len(there) == 2
    assert len({content[:40] for content in there.values()}) == 2
    assert not any(b"JFIF" in content or b"\xff\xd8\xff" in content for content in there.values())


async def test_a_deleted_record(vault):
    """With a record go its files, their thumbs and their keys."""
    kept = await put(vault, photo=File("Photo.jpg", PHOTO), doc=b"x")
    await vault.get(kept.path("photo"), thumb="40x20")

    deleted = await vault.delete(f"{RECORDS}/{kept.id}")

    assert (deleted.status, await stored(vault), await due(vault)) == (204, [], [])
    assert await rows(vault) == []


async def test_a_replaced_file(vault):
    """A file that gives way to another goes with its key."""
    kept = await put(vault, doc=b"old")

    changed = await vault.patch(f"{RECORDS}/{kept.id}", form={"doc": File("new.bin", b"new")})
    name = changed.json["doc"]

    assert len(await stored(vault)) == 1
    assert await rows(vault) == [f"{VAULT['id']}/{kept.id}/{name}"]


async def test_a_write_that_is_refused(vault):
    """Of a write that the database refuses nothing stays: no file, no key, nothing that waits."""
    kept = await put(vault, doc=b"first")
    answer = await vault.post(RECORDS, form={"id": kept.id, "doc": File("x.bin", b"second")})

    assert answer.status == 400
    assert (len(await stored(vault)), await due(vault), waiting(vault)) == (1, [], [])
    assert await rows(vault) == [kept.key()]


async def test_a_deleted_collection(vault):
    """With a collection go the files of all its records, and their keys."""
    await put(vault, doc=b"x")
    await put(vault, docs=[File("a", b"a"), File("b", b"b")])

    deleted = await vault.delete("/api/collections/vault", as_=await vault.superuser())

    assert (deleted.status, await stored(vault), await rows(vault)) == (204, [], [])


async def test_batch(vault):
    """A batch takes files for encrypted and for plain fields, and each is stored as its field says."""
    root = await vault.superuser()
    other = {"name": "open", "fields": [{"name": "doc", "type": "file"}], **RULES}
    assert (await vault.post("/api/collections", other, as_=root)).status == 200
    await vault.patch("/api/settings", {"batch": {"enabled": True}}, as_=root)
    requests = [{"method": "POST", "url": f"/api/collections/{name}/records", "body": {}} for name in ("vault", "open")]
    form = {"@jsonPayload": json.dumps({"requests": requests})}
    files = {f"requests.{number}.doc": File("a.txt", b"hello") for number in (0, 1)}
    answer = await vault.post("/api/batch", form=form | files)

    assert answer.status == 200, answer.text
    sealed, plain = (each["body"] for each in answer.json)
    assert await stored_bytes(vault, f"{plain['collectionId']}/{plain['id']}/{plain['doc']}") == b"hello"
    assert (await vault.get(f"/api/files/vault/{sealed['id']}/{sealed['doc']}")).body == b"hello"
    assert await rows(vault) == [f"{VAULT['id']}/{sealed['id']}/{sealed['doc']}"]


async def test_nothing_in_clear(vault, tmp_path):
    """What is in an encrypted file, and what it was called, stands nowhere: in no file of the server, in no bucket."""
    canary, name = new_canary(), new_canary()
    content = canary.encode() + canary.encode("utf-16-le") + Random(1).randbytes(200_000) + canary.encode()
    await put(vault, doc=content, docs=[File("a.txt", canary.encode())], covert=File(f"{name}.txt", b"x"))
    control = await put(vault, plain=File("c.txt", (open_canary := new_canary()).encode()))

    found = [*files_below(tmp_path), *await everything_stored(vault)]

    assert sightings([canary, name], found) == []
    assert sightings([open_canary], found) != []
    assert (await control.get("plain")).body == open_canary.encode()


async def test_keys_that_cannot_be_had(vault):
    """While the keys are away encrypted files are neither given out nor taken, and all others are."""
    kept = await put(vault, doc=b"secret", plain=b"for all")
    vault.backend.keyring.lock(KeysUnavailable())

    read, plain = await kept.get(), await kept.get("plain")
    written = await vault.post(RECORDS, form={"doc": File("a.txt", b"x")})

    assert (read.status, read.code, read.headers["retry-after"]) == (503, "keys_unavailable", "5")
    assert (plain.status, plain.body) == (200, b"for all")
    assert (written.status, written.code, waiting(vault)) == (503, "keys_unavailable", [])
    assert (await vault.get(RECORDS)).json["totalItems"] == 1


async def test_a_disabled_key(vault):
    """A file under a key that was disabled is refused, by its reason; files under the new one are served."""
    kept, keyring = await put(vault, doc=b"old"), vault.backend.keyring
    await turn_key(vault.backend.engine, keyring)
    newer = await put(vault, doc=b"new")

    refused = await kept.get()

    assert (refused.status, refused.code, refused.body.find(b"old")) == (500, "key_disabled", -1)
    assert (await newer.get()).body == b"new"


@pytest.mark.parametrize(
    "change",
    [
        '"size" = "size" - 1',
        '"size" = "size" + 16',
        '"header" = (SELECT "header" FROM "_sealed_files" WHERE "key" <> outer_key LIMIT 1)',
        '"wrapped" = (SELECT "wrapped" FROM "_sealed_files" WHERE "key" <> outer_key LIMIT 1)',
    ],
)
async def test_altered_in_the_database(vault, change):
    """What the database says of a file cannot be altered, nor taken from another file."""
    kept, _ = await put(vault, doc=b"content"), await put(vault, doc=b"another")
    engine, key = vault.backend.engine, kept.key()
    sql = f"""UPDATE "_sealed_files" SET {change.replace("outer_key", f"'{key}'")} WHERE "key" = '{key}'"""
    await engine.write(lambda tx: tx.run(sql))

    answer = await kept.get()

    assert (answer.status, answer.code) == (500, "decryption_failed")


async def test_moved_to_another_record(vault):
    """A file with all that is known of it opens under no other record and no other name."""
    kept, other = await put(vault, doc=b"content"), await put(vault, doc=b"another")
    engine = vault.backend.engine
    row, there = await kept.row(), await other.row()
    sql = f"""UPDATE "_sealed_files" SET "version" = '{row.version}', "key_id" = {row.key_id}, "size" = {row.size},
        "header" = (SELECT "header" FROM "_sealed_files" WHERE "key" = '{row.key}'),
        "wrapped" = (SELECT "wrapped" FROM "_sealed_files" WHERE "key" = '{row.key}') WHERE "key" = '{there.key}'"""
    await engine.write(lambda tx: tx.run(sql))

    assert (await other.get()).code == "decryption_failed"


async def turn_key(engine, keyring):
    """Give the files a new key, and disable the old one."""
    before = keyring.key_set("file", VAULT["id"])
    more, fresh = add(before, "AES256_GCM_HKDF_STREAM")
    after = disable(promote(more, fresh.id), before.primary_id)

    async def write(tx):
        await insert_key(tx, engine.dialect, more, fresh, keyring.root_key)
        await update_keys(tx, engine.dialect, more, after)
        await append_change(tx, engine.dialect, Change("keys", "", "", "update"))

    await engine.write(write)
    await keyring.refresh()


async def rows(client):
    """The keys of all files that are encrypted."""
    found = await client.backend.engine.read('SELECT "key" FROM "_sealed_files" ORDER BY "key"')
    return [key for (key,) in found]
