"""Files and records agree, whatever fails between them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from stored import due, keys_of, stored, waiting

from undercroft import testing
from undercroft.database.faults import OutcomeUnknown
from undercroft.files.ledger import abandon_all, abandon_due, has_due_files, hold_files, keep_files
from undercroft.files.store import StoreUnavailable
from undercroft.testing import File

PATH = "/api/collections/things/records"
OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
FIELDS = [{"name": "title", "type": "text"}, {"name": "docs", "type": "file", "maxSelect": 4}]
THINGS = {"name": "things", "type": "base", "fields": FIELDS, **OPEN}
UNIQUE = "CREATE UNIQUE INDEX one_title ON things (title) WHERE title != ''"


@pytest.fixture
async def things(client):
    made = await client.post("/api/collections", THINGS | {"indexes": [UNIQUE]}, as_=await client.superuser())
    assert made.status == 200
    return client


@dataclass
class Trouble:
    """What goes wrong in a store: raised at the n-th call of an operation, once or from then on."""

    store: object
    calls: dict[str, int] = field(default_factory=dict)
    faults: dict[tuple[str, int], BaseException] = field(default_factory=dict)

    def __post_init__(self):
        for name in ("put", "delete"):
            setattr(self.store, name, self._wrap(name, getattr(self.store, name)))

    def _wrap(self, name, original):
        async def called(*arguments):
            self.calls[name] = number = self.calls.get(name, 0) + 1
            if (name, number) in self.faults:
                raise self.faults[name, number]
            return await original(*arguments)

        return called


@pytest.fixture
def trouble(things):
    return Trouble(things.backend.filing.store)


async def add(client, *names, **values):
    files = [File(f"{name}.txt", name.encode()) for name in names]
    return await client.post(PATH, form={"docs": files, **values})


async def is_tidy(client, *records):
    named = sorted(key for record in records for key in keys_of(record, "docs"))
    assert (await stored(client), await due(client), waiting(client)) == (named, [], [])
    return True


async def test_the_store_fails_at_the_second_file(things, trouble):
    """A file that was put goes again when the next one cannot be."""
    trouble.faults["put", 2] = StoreUnavailable()
    answer = await add(things, "aaa", "bbb")

    assert (answer.status, answer.error.code, answer.headers["retry-after"]) == (503, "file_store_unavailable", "1")
    assert await is_tidy(things)
    assert (await things.get(PATH)).json["totalItems"] == 0


async def test_a_program_error_in_the_store(things, trouble):
    """Also what nobody expected leaves nothing."""
    trouble.faults["put", 2] = RuntimeError("odd")

    assert (await add(things, "aaa", "bbb")).status == 500
    assert await is_tidy(things)


async def test_the_database_refuses_after_the_files_were_put(things, trouble):
    """A record that loses against another of the same title has no files in the store."""
    first = (await add(things, "aaa", title="x")).json
    answers = await asyncio.gather(*(add(things, "bbb", title="y") for _ in range(4)))
    won = [answer.json for answer in answers if answer.status == 200]

    assert len(won) == 1
    assert await is_tidy(things, first, *won)


async def test_the_store_does_not_delete(things, trouble):
    """What cannot be deleted now stays written down, and goes later."""
    record = (await add(things, "aaa", "bbb")).json
    trouble.faults["delete", 1] = StoreUnavailable()
    await things.delete(f"{PATH}/{record['id']}")

    assert await due(things) == await stored(things) == keys_of(record, "docs")
    things.backend.filing.sweep_soon()
    assert await is_tidy(things)


async def test_nobody_knows_whether_it_was_written(things, monkeypatch):
    """Of a write whose outcome is unknown the files stay if the record is there, and else go."""
    engine, named = things.backend.engine, []
    write = engine.write

    async def keep(*arguments):
        named.append(arguments)
        await keep_files(*arguments)

    async def lose_the_answer(operation, **options):
        result = await write(operation, **options)
        if named:
            raise OutcomeUnknown
        return result

    async def lose_the_request(*_):
        raise OutcomeUnknown

    with monkeypatch.context() as patch:
        patch.setattr("undercroft.records.write.keep_files", keep)
        patch.setattr(engine, "write", lose_the_answer)
        assert (await add(things, "aaa")).status == 503
    with monkeypatch.context() as patch:
        patch.setattr("undercroft.records.write.keep_files", lose_the_request)
        assert (await add(things, "bbb")).status == 503
    engine.write = write
    await engine.write(lambda tx: abandon_all(tx, engine.dialect))  # what could not be given up at once

    (record,) = (await things.get(PATH)).json["items"]
    assert await is_tidy(things, record)


async def test_the_record_goes_while_its_file_is_put(things, trouble):
    """A file for a record that is deleted meanwhile finds none, and goes."""
    record = (await add(things, "aaa")).json
    put = trouble.store.put

    async def put_late(*arguments):
        await put(*arguments)
        await things.delete(f"{PATH}/{record['id']}")

    trouble.store.put = put_late
    answer = await things.patch(f"{PATH}/{record['id']}", form={"docs+": File("b.txt", b"b")})

    assert answer.status == 404
    assert await is_tidy(things)


async def test_the_collection_goes_while_its_file_is_put(things, trouble):
    """A file for a collection that is deleted meanwhile goes, also when one of its name comes after it."""
    root, put = await things.superuser(), trouble.store.put

    async def put_late(*arguments):
        await put(*arguments)
        await things.delete("/api/collections/things", as_=root)
        await things.post("/api/collections", THINGS, as_=root)

    trouble.store.put = put_late
    answer = await add(things, "aaa")
    trouble.store.put = put
    kept = [answer.json] if answer.status == 200 else []

    assert answer.status in (200, 400, 404, 503)
    assert await is_tidy(things, *kept)


async def test_a_file_that_comes_too_late(things, trouble):
    """A file that was given up while it was put is not named by a record, and its sender may try again."""
    put = trouble.store.put

    async def put_late(*arguments):
        await put(*arguments)
        await things.backend.filing.recover()

    trouble.store.put = put_late
    answer = await add(things, "aaa")

    assert (answer.status, answer.error.code) == (503, "upload_too_late")
    assert await is_tidy(things)


async def test_the_same_id_comes_again_at_once(things, trouble):
    """A record that is deleted and made again with the same id keeps its new files."""
    await add(things, "aaa", id="a" * 15)
    trouble.faults["delete", 1] = StoreUnavailable()
    await things.delete(f"{PATH}/{'a' * 15}")
    record = (await add(things, "bbb", id="a" * 15)).json
    things.backend.filing.sweep_soon()

    assert await is_tidy(things, record)


async def test_an_engine_that_tries_again(things, monkeypatch):
    """A write that is run twice because of a conflict keeps its files once."""
    engine = things.backend.engine
    write = engine.write

    async def write_twice(operation, **options):
        async def first(tx):
            await operation(tx)
            raise RuntimeError

        with suppress(RuntimeError):
            await write(first, **options)
        return await write(operation, **options)

    monkeypatch.setattr(engine, "write", write_twice)
    record = (await add(things, "aaa", "bbb")).json
    record = (await things.patch(f"{PATH}/{record['id']}", {"docs-": record["docs"][0]})).json

    assert await is_tidy(things, record)


async def test_who_is_cancelled_leaves_whole_things(things):
    """Callers that go away at any moment leave a record with all its files, or none of both."""
    for turns in range(0, 60, 3):
        caller = asyncio.create_task(add(things, "aaa", "bbb"))
        for _ in range(turns):
            await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])
    await until_tidy(things)

    records = (await things.get(PATH, perPage="100")).json["items"]
    assert {len(record["docs"]) for record in records} <= {2}
    assert await is_tidy(things, *records)


async def until_tidy(client):
    """Return once work that nobody waits for has ended."""
    for _ in range(200):
        if not await due(client) and not waiting(client):
            return
        await asyncio.sleep(0.02)


async def test_what_a_dead_process_held_is_given_up(tmp_path, database, files_url):
    """A server that has its data to itself gives up at its start what another had begun; others after an hour."""
    async with testing.client(tmp_path, database, files_url) as client:
        engine = client.backend.engine
        await engine.write(lambda tx: hold_files(tx, engine.dialect, ["c/r/a.txt"]))

        assert await client.backend.filing.settle() is None
        assert await due(client) == ["c/r/a.txt"]
    async with testing.client(tmp_path, database, files_url) as client:
        engine = client.backend.engine
        assert await due(client) == (["c/r/a.txt"] if engine.is_networked else [])

        async def let_an_hour_pass(tx):
            await tx.run('UPDATE "_files_due" SET "due" = "due" - 3601 WHERE "due" > 0')

        await engine.write(let_an_hour_pass)
        assert await has_due_files(engine) is engine.is_networked
        await engine.write(lambda tx: abandon_due(tx, engine.dialect))
        assert await due(client) == []


async def test_a_moment_far_away_was_set_by_a_wrong_clock(client):
    """Whatever the clock said when a file was held, it is not held for days."""
    engine = client.backend.engine
    await engine.write(lambda tx: hold_files(tx, engine.dialect, ["c/r/a.txt"]))

    async def set_clock_back(tx):
        await tx.run('UPDATE "_files_due" SET "due" = "due" + 86400')

    assert not await has_due_files(engine)
    await engine.write(set_clock_back)
    assert await has_due_files(engine)
    await engine.write(lambda tx: abandon_due(tx, engine.dialect))
    assert await due(client) == []
