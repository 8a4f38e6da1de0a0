"""What is left on the disk of values that were there before their field was encrypted: nothing."""

from __future__ import annotations

import pytest
from coming_along import settle

from undercroft.database.params import OVERWRITES, delete_param

GONE = [f"removed-canary-{number}" for number in range(40)]
STILL = [f"present-canary-{number}" for number in range(40)]


@pytest.fixture
async def notes(blog):
    """Values in clear that were replaced and deleted, and such that are there, while somebody listens."""
    await blog.collection("notes", {"name": "secret", "type": "text"}, {"name": "filler", "type": "text"})
    async with blog.client.listen("notes/*"):
        for gone, still in zip(GONE, STILL, strict=True):
            record = await blog.add("notes", secret=gone, filler="f" * 200)
            await blog.update("notes", record["id"], {"secret": still}, blog.root)
        for gone in GONE[:20]:
            record = await blog.add("notes", secret=gone * 3, filler="f" * 2000)
            await blog.delete("notes", record["id"], blog.root)
    return blog


async def encrypt(blog):
    fields = (await blog.client.get("/api/collections/notes", as_=blog.root)).json["fields"]
    fields[1]["encrypted"] = True
    answer = await blog.change("notes", fields=fields)
    assert answer.status == 200, answer.text
    return await settle(blog.client.backend)


def found_in(folder, words):
    """Which words are in some file of a folder, and in which."""
    contents = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {(word, name) for name, content in contents.items() for word in words if word.encode() in content}


@pytest.mark.sqlite_only("looks into the files of SQLite")
async def test_nothing_in_the_files(notes, tmp_path):
    """Neither the database nor its log nor any other file has a value in clear that is there or ever was."""
    before = {word for word, _ in found_in(tmp_path, STILL)}
    rows = await encrypt(notes)

    assert before == set(STILL)
    assert found_in(tmp_path, [*STILL, *GONE]) == set()
    assert [row.trouble for row in rows] == [None]
    listed = (await notes.list("notes", perPage=100)).json["items"]
    assert {record["secret"] for record in listed} == set(STILL)


@pytest.mark.sqlite_only("looks into the files of SQLite")
async def test_data_of_an_older_program(blog, tmp_path):
    """What was deleted before deleted things were overwritten goes when the file is written anew, once."""
    engine = blog.client.backend.engine
    await overwriting(engine, is_on=False)
    await engine.write(lambda tx: delete_param(tx, engine.dialect, OVERWRITES))
    await blog.collection("notes", {"name": "secret", "type": "text"}, {"name": "filler", "type": "text"})
    for gone in GONE:
        record = await blog.add("notes", secret=gone * 3, filler="f" * 2000)
        await blog.delete("notes", record["id"], blog.root)
    await blog.add("notes", secret=STILL[0], filler="f")
    await overwriting(engine, is_on=True)
    await engine.scrub("notes", is_thorough=False)
    assert found_in(tmp_path, GONE)

    rows = await encrypt(blog)

    assert found_in(tmp_path, [*STILL, *GONE]) == set()
    assert [row.trouble for row in rows] == [None]


@pytest.mark.sqlite_only("looks into the files of SQLite")
async def test_a_file_that_is_too_large(blog, tmp_path):
    """A large file is not written anew while it is in use; the work says so, and what to do about it."""
    engine = blog.client.backend.engine
    await engine.write(lambda tx: delete_param(tx, engine.dialect, OVERWRITES))
    engine._vacuum_bytes = 1000
    await blog.collection("notes", {"name": "id2", "type": "text"}, {"name": "secret", "type": "text"})
    await blog.add("notes", secret="one")
    await encrypt(blog)
    (row,) = (await blog.client.get("/api/encryption/work", as_=blog.root)).json

    assert (row["state"], row["error"]["code"]) == ("done", "not_scrubbed")
    assert "undercroft keys scrub" in row["error"]["message"]
    assert await engine.scrub("notes", is_thorough=True, is_patient=True)
    assert await engine.scrub("notes", is_thorough=True)


@pytest.mark.postgresql_only("looks into a file of PostgreSQL")
async def test_nothing_in_the_table(notes, postgres):
    """The table has been written anew, and its file has no value in clear."""
    await encrypt(notes)
    engine = notes.client.backend.engine
    ((path,),) = await engine.read("SELECT pg_relation_filepath('notes')")
    await checkpoint(engine)

    content = (postgres.data / path).read_bytes()
    assert not [word for word in [*STILL, *GONE] if word.encode() in content]
    assert b"f" * 200 in content


async def checkpoint(engine):
    connection = await engine._pool.open_one()
    try:
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def overwriting(engine, *, is_on):
    await engine._writer.attend(lambda statements: statements.connection.pragma("secure_delete", int(is_on)))
