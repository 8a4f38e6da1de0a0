"""What is secret is in no table in clear: settings, options, letters, jobs, answers, codes."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from canaries import files_below, rows_of, sightings
from furnished import USERS, WORDS, furnish, set_secrets, set_up_app

from undercroft import testing
from undercroft.auth.totp_codes import PERIOD, code_at
from undercroft.jobs.queue import load_job
from undercroft.records.record import find_record
from undercroft.settings.store import load_settings


@pytest.fixture
async def furnished(tmp_path, database):
    """A backend in which every kind of secret was put down somewhere."""
    async with testing.client(tmp_path / "data", database, sends_mail=True) as client:
        await furnish(client, await client.superuser())
        await asyncio.sleep(0)
        yield client, tmp_path / "data"


async def test_no_secret_in_any_table(furnished):
    """None of them is in any value of any table, but the address of an account, which is its own to encrypt."""
    client, _ = furnished
    tokens = client.backend.catalog.collection("users").auth

    found = sightings([*WORDS.values(), tokens.auth_token.secret], await rows_of(client.backend.engine))

    assert {line for line in found if not line.startswith("letter-")} == set()
    assert {line for line in found if line.startswith("letter-")} <= {"letter-canary-7Q in users (raw)"}


async def test_no_secret_in_any_file(furnished):
    """Nor in any byte of the data directory, the write-ahead log included."""
    client, folder = furnished
    words = [word for name, word in WORDS.items() if name != "letter"]

    assert sightings(words, files_below(folder)) == []
    assert client.backend.directory == folder


async def test_secrets_still_serve(furnished):
    """What was sealed is had again by those who need it."""
    client, _ = furnished
    engine = client.backend.engine

    settings = await load_settings(engine)
    users = client.backend.catalog.collection("users").auth

    assert (settings.smtp.password, settings.s3.secret) == (WORDS["smtp"], WORDS["bucket"])
    assert settings.backups.s3.secret == WORDS["backup"]
    assert users.oauth2.providers[0].client_secret == WORDS["client"]
    assert WORDS["job"] in (await load_job(engine, "job1")).arguments


async def test_what_an_older_program_left(tmp_path, database):
    """Secrets that stand in clear are sealed at the next start, and mean the same."""
    async with testing.client(tmp_path / "data", database) as client:
        await set_secrets(client, await client.superuser())
        engine = client.backend.engine
        secret = client.backend.catalog.collection("users").auth.auth_token.secret

        async def undo(tx):
            mark = engine.dialect.placeholder
            await tx.run('DELETE FROM "_params" WHERE "id" = \'sealedTexts\'')
            old = '{"smtp": {"password": "old-canary-7Q"}}'
            await tx.run(f'UPDATE "_params" SET "value" = {mark(1)} WHERE "id" = {mark(2)}', [old, "settings"])
            kept = await tx.run(f'SELECT "options" FROM "_collections" WHERE "name" = {mark(1)}', ["users"])
            options = msgspec.json.decode(kept[0][0])
            options["authToken"]["secret"] = secret
            sql = f'UPDATE "_collections" SET "options" = {mark(1)} WHERE "name" = {mark(2)}'
            await tx.run(sql, [msgspec.json.encode(options).decode(), "users"])

        await engine.write(undo)
        assert sightings([secret], await rows_of(engine))

    async with testing.client(tmp_path / "data", database) as client:
        users = client.backend.catalog.collection("users").auth

        assert sightings([secret, "old-canary-7Q"], await rows_of(client.backend.engine)) == []
        assert users.auth_token.secret == secret
        assert client.backend.settings.smtp.password == "old-canary-7Q"


async def test_no_way_in_is_in_any_table(client):
    """Neither what an authenticator app makes codes from, nor a recovery code, nor a token, nor what an account will be."""
    root = await client.superuser()
    record, token, seed, recovery = await set_up_app(client, root)
    options = {"invitations": {"enabled": True}}
    assert (await client.patch(USERS, options, as_=root)).status == 200
    offer = {"email": "eve@example.com", "values": {"name": "offer-canary-7Q"}}
    answer = await client.post(f"{USERS}/invitations", offer, as_=root)
    assert answer.status == 200, answer.text

    users, engine = client.backend.catalog.collection("users"), client.backend.engine
    account = await find_record(engine.read, engine.dialect, users, {"id": record})
    words = [seed, token, token.rpartition(".")[2], account["tokenKey"], "offer-canary-7Q", *recovery]
    assert sightings(words, await rows_of(engine)) == []


async def test_what_an_older_program_left_of_ways_in(tmp_path, database):
    """A secret of an authenticator app that stands in clear is sealed at the next start, and makes the same codes."""
    async with testing.client(tmp_path / "data", database) as client:
        record, _, seed, _ = await set_up_app(client, await client.superuser())
        engine = client.backend.engine

        async def undo(tx):
            mark = engine.dialect.placeholder
            await tx.run('UPDATE "_params" SET "value" = \'true\' WHERE "id" = \'sealedTexts\'')
            sql = f'UPDATE "_totp" SET "seed" = {mark(1)}, "step" = 0 WHERE "record" = {mark(2)}'
            await tx.run(sql, [seed, record])

        await engine.write(undo)
        assert sightings([seed], await rows_of(engine)) == [f"{seed} in _totp (raw)"]

    async with testing.client(tmp_path / "data", database) as client:
        login = {"identity": "ada@example.com", "password": "password-1"}
        begun = await client.post(f"{USERS}/auth-with-password", login)
        code = code_at(seed, int(time.time()) // PERIOD)
        ended = await client.post(f"{USERS}/auth-with-totp", {"mfaId": begun.json["mfaId"], "code": code})

        assert sightings([seed], await rows_of(client.backend.engine)) == []
        assert (begun.status, ended.status) == (401, 200)


async def test_a_secret_of_another_account_is_none(client):
    """A secret that is copied into the row of another account makes no codes there."""
    _, token, seed, _ = await set_up_app(client, await client.superuser())
    engine, mark = client.backend.engine, client.backend.engine.dialect.placeholder
    kept = client.backend.keyring.seal_text("_totp|seed|users/another", seed)
    await engine.write(lambda tx: tx.run(f'UPDATE "_totp" SET "seed" = {mark(1)}', [kept]))

    code = code_at(seed, int(time.time()) // PERIOD + 1)
    answer = await client.post(f"{USERS}/disable-totp", {"code": code}, as_=token)

    assert (answer.status, answer.error.code) == (500, "decryption_failed")
