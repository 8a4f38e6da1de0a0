"""The key of the system turns: what it sealed is sealed anew, and then it can be done away with."""

import asyncio
import json

import pytest
from coming_along import settle
from furnished import USERS, WORDS, furnish, set_up_app
from keys_command import until

from undercroft import testing
from undercroft.app import close_backend, open_backend
from undercroft.collections.pieces import Piece
from undercroft.encryption.failures import KeyNotMoved
from undercroft.jobs.job import Order
from undercroft.jobs.queue import enqueue, load_job
from undercroft.keys.audit import list_entries
from undercroft.keys.changing import SetOf, destroy_key, disable_key
from undercroft.keys.rotation import rotate_key
from undercroft.keys.text_columns import TEXT_COLUMNS, count_older_texts, count_texts
from undercroft.records.resealings import begin_resealing, list_resealings
from undercroft.settings.store import load_settings


def system(client):
    return SetOf(client.backend.engine, client.backend.keyring, "system", "")


async def turn(client):
    """The old key and the new one, once all work is done or has failed; and the row of that work."""
    turned = await rotate_key(system(client))
    await settle(client.backend)
    rows = [row for row in await list_resealings(client.backend.engine.read) if row.piece.number == turned.new_id]
    return turned, rows[0]


async def test_the_old_key_can_go(tmp_path, database):
    """Every kind of secret is sealed by the new key alone, and served after the old one was destroyed."""
    async with testing.client(tmp_path / "data", database) as client:
        root = await client.superuser()
        await furnish(client, root)
        _, token, _, _ = await set_up_app(client, root)
        engine = client.backend.engine
        assert await count_texts(engine.read, engine.dialect, client.backend.keyring.key_set("system", "").primary_id)
        with pytest.raises(KeyNotMoved):
            await disable_key(system(client), client.backend.keyring.key_set("system", "").primary_id)

        turned, row = await turn(client)

        assert (row.piece.kind, row.state, row.trouble) == ("texts", "done", None)
        assert row.done == row.total > 5
        assert await count_texts(engine.read, engine.dialect, turned.old_id) == 0
        assert await count_older_texts(engine.read, engine.dialect, turned.new_id) == 0
        await disable_key(system(client), turned.old_id)
        await destroy_key(system(client), turned.old_id, is_early=True)
        events = [entry.event for entry in await list_entries(engine)]
        assert {"resealing_started", "resealing_ended", "key_destroyed"} <= set(events)

    async with testing.client(tmp_path / "data", database) as client:
        engine, users = client.backend.engine, client.backend.catalog.collection("users").auth
        settings = await load_settings(engine)

        assert (settings.smtp.password, settings.s3.secret) == (WORDS["smtp"], WORDS["bucket"])
        assert users.oauth2.providers[0].client_secret == WORDS["client"]
        assert WORDS["job"] in (await load_job(engine, "job1")).arguments
        assert (await client.get(f"{USERS}/totp", as_=token)).status == 200


async def test_every_column_is_known(tmp_path, database):
    """No column holds a sealed text that the work does not know of."""
    async with testing.client(tmp_path / "data", database) as client:
        await furnish(client, await client.superuser())
        engine = client.backend.engine
        known = {column.table for column in TEXT_COLUMNS} | {"_params", "_collections"}

        for (name,) in await engine.read(engine.dialect.list_tables()):
            rows = await engine.read(f"SELECT * FROM {engine.dialect.quote(str(name))}")
            assert name in known or not any("uc1:" in str(value) for row in rows for value in row), name


async def test_a_text_that_does_not_open(tmp_path, database):
    """The work fails and says where; the old key stays until that is dealt with, and then the work goes on."""
    async with testing.client(tmp_path / "data", database) as client:
        root = await client.superuser()
        await furnish(client, root)
        engine = client.backend.engine
        old = client.backend.keyring.key_set("system", "").primary_id
        wrong = client.backend.keyring.seal_text("_jobs|arguments|another", "x")
        mark = engine.dialect.placeholder(1)
        await engine.write(lambda tx: tx.run(f'UPDATE "_jobs" SET "arguments" = {mark} WHERE "id" = \'job1\'', [wrong]))

        _, row = await turn(client)

        assert (row.state, row.trouble.code, row.trouble.records) == ("failed", "values_shut", [["_jobs job1"]])
        with pytest.raises(KeyNotMoved, match="1 texts"):
            await disable_key(system(client), old)
        await engine.write(lambda tx: tx.run('DELETE FROM "_jobs" WHERE "id" = \'job1\''))
        assert (await client.post(f"/api/encryption/work/{row.id}/resume", as_=root)).status == 200
        await settle(client.backend)
        await disable_key(system(client), old)


def test_killed_on_the_way(keys):
    """A server that is killed in the middle leaves secrets that all open; the next one goes on to the end."""
    fill(keys, 1500)
    old = keys.ids()[0]
    keys.run("rotate", "system")
    begin(keys, keys.ids()[0])
    (work,) = works(keys)
    keys.run("work", "limit", work["id"], "100")
    with keys.serving() as server:
        until(lambda: 0 < works(keys)[0]["done"] < 1500)
        server.kill()
        server.wait()
    done = works(keys)[0]
    assert 0 < done["done"] < done["total"]
    assert "stays enabled" in keys.run("disable", str(old), code=1)
    keys.run("work", "limit", work["id"], "0")

    with keys.serving():
        until(lambda: works(keys)[0]["state"] == "done", seconds=90)
        assert works(keys)[0]["done"] == works(keys)[0]["total"] >= 1500
        keys.run("disable", str(old))
        keys.run("destroy", str(old), "--early", "--yes")
        assert keys.sign_in()
    assert opened(keys) == 1500


def works(keys):
    return [row for row in json.loads(keys.run("work", "--json")) if row["kind"] == "texts"]


def begin(keys, key_id):
    """Have a row for the work before any server runs, so that it can be limited."""

    async def act(backend):
        piece = Piece("texts", "", "", key_id)
        await backend.engine.write(lambda tx: begin_resealing(tx, backend.engine.dialect, piece))

    in_backend(keys, act)


def fill(keys, count):
    """Jobs that wait for an hour."""

    async def act(backend):
        async def put(tx):
            for number in range(count):
                order = Order(id=f"job{number}", name="nobody", arguments=f'{{"n": {number}}}', tries=1, delay=3600.0)
                await enqueue(tx, backend.engine.dialect, order)

        await backend.engine.write(put)

    in_backend(keys, act)


def opened(keys):
    """How many of the jobs say what they said."""

    async def act(backend):
        rows = await backend.engine.read('SELECT "id", "arguments" FROM "_jobs"')
        texts = [backend.keyring.open_text(f"_jobs|arguments|{key}", str(text)) for key, text in rows]
        return len({text for text in texts if text.startswith('{"n":')})

    return in_backend(keys, act)


def in_backend(keys, act):
    async def run():
        backend = await open_backend(keys.folder / "data", keys.database)
        try:
            return await act(backend)
        finally:
            await close_backend(backend)

    return asyncio.run(run())
