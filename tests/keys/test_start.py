"""A server whose root key is wrong, missing or away: what it does at start, and that it leaves the data alone."""

import asyncio
import hashlib
import os
import subprocess
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial

import httpx
import pytest
from network import free_port
from program import COMMAND, run, serving
from roots import SHARED, carry_root
from transit import faulty_transit

from undercroft import testing
from undercroft.app import App
from undercroft.keys.holders import list_holders
from undercroft.keys.options import KEY, PASSPHRASE
from undercroft.keys.root_local import FILE_NAME
from undercroft.keys.root_texts import new_root_text
from undercroft.testing import TestClient

pytestmark = pytest.mark.anyio
OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
NOTES = {"name": "notes", "type": "base", "fields": [{"name": "text", "type": "text"}], **OPEN}
RECORDS = "/api/collections/notes/records"
HEALTH = "/api/health"


@pytest.fixture
def transit():
    """A transit service that fails when it is told to."""
    with faulty_transit() as service:
        yield service


@pytest.fixture
def place(tmp_path, database):
    """Where the data are, as arguments."""
    return ["--dir", str(tmp_path / "data"), *(["--database", database] if database else [])]


@pytest.fixture
def contents(tmp_path, database, request):
    """Tells the bytes of the database."""
    if database:
        server = request.getfixturevalue("postgres")
        tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^_'"
        names = [name for (name,) in server.run(tables, on=database)]
        return lambda: [server.run(f'SELECT t.ctid::text, t::text FROM "{name}" AS t', on=database) for name in names]
    aside = {"server.lock", "data.db-shm", FILE_NAME}
    files = [tmp_path / "data", tmp_path / "data" / "storage"]
    return lambda: {
        path.name: content
        for folder in files
        for path in folder.glob("*")
        if path.name not in aside and path.is_file() and (content := fingerprint(path))
    }


def fingerprint(path):
    """What a file holds; nothing when its owner has just taken it away."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.stat().st_size else ""
    except FileNotFoundError:
        return ""


async def make_data(tmp_path, database, root=None):
    """A data directory with a collection of one record, in clear."""
    async with testing.client(tmp_path / "data", database, root=root) as client:
        await client.post("/api/collections", NOTES, as_=await client.superuser())
        assert (await client.post(RECORDS, {"text": "plain"})).status == 200


def refused(tmp_path, place, **variables):
    """What a server says that does not start because of its root key."""
    done = run("serve", *place, "--http", f"127.0.0.1:{free_port()}", folder=tmp_path, **variables)

    assert done.returncode == 78, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_a_wrong_root_key_is_refused(tmp_path, database, place, contents):
    """With exit code 78 and one sentence that names provider, version and check value; not a byte is changed."""
    asyncio.run(make_data(tmp_path, database))
    before = contents()
    file = tmp_path / "data" / FILE_NAME
    expected = file.read_text().split("check value ")[1][:8]
    file.write_text(new_root_text())
    said = [refused(tmp_path, place), refused(tmp_path, [*place, "--workers", "2"])]
    file.unlink()
    said.append(refused(tmp_path, place, **{KEY: new_root_text()}))

    for text in said:
        assert expected in text
        assert "version 1 of the root key (provider file" in text
    assert contents() == before


def test_a_missing_root_key_is_refused(tmp_path, database, place, contents):
    """Also where another kind of root key is there; none is made in its place."""
    asyncio.run(make_data(tmp_path, database))
    before = contents()
    (tmp_path / "data" / FILE_NAME).rename(tmp_path / "kept")
    said = [refused(tmp_path, place), refused(tmp_path, place, **{PASSPHRASE: "of somebody"})]

    for text in said:
        assert "there is no root key" in text
        assert "--root-key-file" in text
    assert contents() == before
    assert not (tmp_path / "data" / FILE_NAME).exists()
    port = free_port()
    with serving(port, *place, "--root-key-file", str(tmp_path / "kept"), folder=tmp_path):
        assert httpx.get(f"http://127.0.0.1:{port}{RECORDS}").json()["items"][0]["text"] == "plain"


def test_commands_refuse_a_wrong_root_key_too(tmp_path, database, place):
    """They would make keys that no server could open."""
    asyncio.run(make_data(tmp_path, database))
    (tmp_path / "data" / FILE_NAME).write_text(new_root_text())
    done = run("superuser", "upsert", "me@example.com", "open-sesame-42", *place, folder=tmp_path)

    assert done.returncode == 78


@pytest.mark.postgresql_only(reason="several directories share a database")
def test_a_second_node_needs_the_root_key(tmp_path, postgres, postgres_template):
    """One PostgreSQL, two directories: the second one says what is missing, and serves once it has it."""
    url = postgres.database(postgres_template)
    asyncio.run(make_data(tmp_path, url))
    place = ["--dir", str(tmp_path / "second"), "--database", url]
    said = refused(tmp_path, place)

    assert str(tmp_path / "second" / FILE_NAME) in said
    assert not (tmp_path / "second" / FILE_NAME).exists()
    carry_root(tmp_path / "data", tmp_path / "second")
    with serving(free_port(), *place, folder=tmp_path):
        pass


@pytest.mark.postgresql_only(reason="several directories share a database")
async def test_two_nodes_begin_at_once(tmp_path, postgres, postgres_template):
    """On a new database one of them makes the root key, and the other one is refused and leaves none behind."""
    url = postgres.database(postgres_template)
    apps = [App(tmp_path / name, database=url) for name in ("one", "two")]
    ended = await asyncio.gather(*(app.start() for app in apps), return_exceptions=True)
    codes = [getattr(error, "code", None) for error in ended]
    files = [(tmp_path / name / FILE_NAME).exists() for name in ("one", "two")]
    await asyncio.gather(*(app.stop() for app in apps))

    assert sorted(codes, key=str) == [None, "root_missing"]
    assert files == [code is None for code in codes]


@pytest.mark.postgresql_only(reason="several directories share a database")
async def test_two_nodes_share_a_root_key(tmp_path, postgres, postgres_template):
    """On a new database, begun at once, with the root key in their environment."""
    url = postgres.database(postgres_template)
    apps = [App(tmp_path / name, database=url, root=SHARED) for name in ("one", "two")]
    await asyncio.gather(*(app.start() for app in apps))
    sets = [app.backend.keyring.key_set("system", "") for app in apps]
    await until(partial(list_holders, apps[0].backend.engine), lambda holders: len(holders) == 2)
    await asyncio.gather(*(app.stop() for app in apps))

    assert sets[0] == sets[1]


@pytest.mark.sqlite_only(reason="about one directory, which is the same on both")
async def test_two_processes_begin_at_once_in_one_directory(tmp_path):
    """Both have the root key that one of them made, and it stays in its place."""
    for number in range(5):
        folder = tmp_path / str(number)
        apps = [App(folder, shared=True) for _ in range(2)]
        await asyncio.gather(*(app.start() for app in apps))
        sets = [app.backend.keyring.key_set("system", "") for app in apps]
        for app in apps:
            await app.stop()

        assert sets[0] == sets[1]
        assert [path.name for path in folder.glob("*root.key*")] == [FILE_NAME]


@asynccontextmanager
async def started(tmp_path, database, options):
    """An app whose root key may be away, with a route that needs a key."""
    app = App(tmp_path / "data", database=database, root=options)
    app.route.get("/api/sealed")(lambda _: {"keys": len(app.backend.keyring.key_set("system", "").keys)})
    await app.start()
    try:
        yield app, TestClient(app)
    finally:
        await app.stop()


async def until(ask, holds, seconds=15.0):
    """What is answered, once something holds of it. Raises `AssertionError` when that takes too long."""
    deadline = time.monotonic() + seconds
    while not holds(answer := await ask()):
        assert time.monotonic() < deadline, answer
        await asyncio.sleep(0.05)
    return answer


def is_fine(answer):
    return answer.status == 200


@pytest.fixture(params=["500", "403", "hang"])
def fault(request, monkeypatch):
    """How the transit service fails; what hangs is waited for less long than usual."""
    if request.param == "hang":
        monkeypatch.setattr("undercroft.http.calling.SECONDS", 1.5)
    return request.param


async def test_a_service_that_is_away_is_waited_for(tmp_path, database, contents, transit, fault):
    """All is answered 503 until it is back, and nothing is written meanwhile."""
    await make_data(tmp_path, database, transit.options)
    before = contents()
    transit.fault = fault
    async with started(tmp_path, database, transit.options) as (app, client):
        health, record = await client.get(HEALTH), await client.get(RECORDS)
        assert (health.status, health.json["data"]) == (503, {"problem": "keys_unavailable"})
        assert int(health.headers["retry-after"]) > 0
        assert (record.status, record.json["status"]) == (503, 503)
        assert transit.url not in health.text + record.text
        wanted = transit.asked + 2
        await until(lambda: client.get(HEALTH), lambda _: transit.asked >= wanted)
        assert app.is_waiting
        assert contents() == before

        transit.fault = ""
        assert (await until(lambda: client.get(HEALTH), is_fine)).json["code"] == 200
        assert (await client.get(RECORDS)).json["items"][0]["text"] == "plain"
        assert (await client.get("/api/sealed")).json == {"keys": 1}


async def test_a_new_database_waits_for_its_service(tmp_path, database, transit):
    """It has no root key yet, and gets one when the service is there."""
    transit.fault = "503"
    async with started(tmp_path, database, transit.options) as (_, client):
        assert (await client.get(HEALTH)).status == 503
        transit.fault = ""
        await until(lambda: client.get(HEALTH), is_fine)
        assert (await client.get("/api/sealed")).json == {"keys": 1}


async def test_what_is_plain_is_served_locked(tmp_path, database, transit, fault):
    """Where that is asked for: health is 503 all the same, and so is what needs a key."""
    await make_data(tmp_path, database, transit.options)
    transit.fault = fault
    async with started(tmp_path, database, replace(transit.options, serves_locked=True)) as (app, client):
        assert (await client.get(HEALTH)).json["data"] == {"problem": "keys_unavailable"}
        assert (await client.get(RECORDS)).json["items"][0]["text"] == "plain"
        assert (await client.post(RECORDS, {"text": "more"})).status == 200
        sealed = await client.get("/api/sealed")
        assert (sealed.status, sealed.error.code) == (503, "keys_unavailable")
        assert int(sealed.headers["retry-after"]) > 0
        assert app.backend.keyring.is_locked

        transit.fault = ""
        await until(lambda: client.get("/api/sealed"), is_fine)
        assert (await client.get(HEALTH)).status == 200


@pytest.mark.sqlite_only(reason="about the process, which is the same on both")
def test_a_service_that_comes_back_with_another_key_ends_the_server(tmp_path, transit):
    """A server that waits exits with 78 when it learns that the root key is none."""
    asyncio.run(make_data(tmp_path, "", transit.options))
    transit.fault = "500"
    port = free_port()
    command = [COMMAND, "serve", "--http", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=os.environ | transit.environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 20
        status = 0
        while not status and time.monotonic() < deadline:
            time.sleep(0.05)
            with suppress(httpx.TransportError):
                status = httpx.get(f"http://127.0.0.1:{port}{HEALTH}").status_code
        assert status == 503
        transit.fault = "400"
        said, told = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 78
    assert "waits for its root key" in said
    assert "provider transit" in told.splitlines()[-1]
