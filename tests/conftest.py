"""What every test may ask for."""

from __future__ import annotations

import os
import secrets

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings
from postgres import in_thread, running_postgres
from roots import SHARED, environment, open_ring
from s3_server import shared_s3

from undercroft import passwords, testing
from undercroft.collections.store import ensure_system_collections
from undercroft.database.formats import SYSTEM_MIGRATIONS
from undercroft.database.migrations import migrate
from undercroft.database.postgresql import PostgresEngine
from undercroft.database.sqlite import SqliteEngine

# A test does in a second what people do in an hour; those about rate limits ask for them.
os.environ["UNDERCROFT_RATE_LIMITS"] = "false"
# Hashes of passwords cost what they are to cost, and half of all the time of tests that log somebody in.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
CHEAP_DUMMY = CHEAP.hash(secrets.token_hex())
# A busy machine stands still now and then, and no property is about time.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
SEEDS = pytest.StashKey[list[str]]()


@pytest.fixture(autouse=True)
def _cheap_hashes(request, monkeypatch):
    """Passwords are hashed cheaply, unless a test is about what that costs."""
    if request.node.get_closest_marker("real_hashes") is None:
        monkeypatch.setattr(passwords, "_ARGON2", CHEAP)
        monkeypatch.setattr("undercroft.auth.passwords.DUMMY_HASH", CHEAP_DUMMY)


@pytest.fixture
def anyio_backend():
    """Async tests run under asyncio."""
    return "asyncio"


def pytest_addoption(parser):
    """Which engines the tests of behaviour run on, and which stores the tests of files."""
    parser.addoption("--engine", choices=["sqlite", "postgresql", "both"], default="both")
    parser.addoption("--store", choices=["local", "s3", "both"], default="both")


def pytest_generate_tests(metafunc):
    """Every test that uses a database runs on each engine, unless it is about one alone."""
    if "database" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--engine")
    engines = ["sqlite", "postgresql"] if chosen == "both" else [chosen]
    if metafunc.definition.get_closest_marker("sqlite_only"):
        engines = [engine for engine in engines if engine == "sqlite"]
    if metafunc.definition.get_closest_marker("postgresql_only"):
        engines = [engine for engine in engines if engine == "postgresql"]
    metafunc.parametrize("database", engines, indirect=True, scope="function")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Files with slow tests come first, so that no process is left alone with a long one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server; it starts when the first test needs it."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres):
    """The name of a database in the newest format, to copy."""

    return make_template(postgres, "prepared", lambda engine: migrate(engine, SYSTEM_MIGRATIONS))


@pytest.fixture(scope="session")
def postgres_furnished(postgres, postgres_template):
    """The name of a database with the first collections, to copy."""
    return make_template(postgres, "furnished", furnish, postgres_template)


async def furnish(engine):
    """Make the first collections, under the root key that all tests on PostgreSQL share."""
    keyring = await open_ring(engine, SHARED)
    await ensure_system_collections(engine, keyring)


def make_template(postgres, name, work, template="template1"):
    """A database that something was done to."""

    async def prepare():
        engine = await PostgresEngine.open(postgres.url(name))
        await work(engine)
        await engine.close()

    postgres.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    in_thread(prepare())
    return name


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    """An S3 server; it starts when the first test needs it, for all processes of the run."""
    root = tmp_path_factory.getbasetemp()
    with shared_s3(root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) as server:
        yield server


@pytest.fixture
def database(request, monkeypatch):
    """The URL of a new PostgreSQL database, or the empty text for SQLite in the data directory."""
    if request.param == "sqlite":
        yield ""
        return
    template = "postgres_template" if "engine" in request.fixturenames else "postgres_furnished"
    if template == "postgres_furnished":
        for name, value in environment().items():
            monkeypatch.setenv(name, value)
    server = request.getfixturevalue("postgres")
    url = server.database(request.getfixturevalue(template))
    yield url
    server.let_go(url)


@pytest.fixture
async def engine(request, tmp_path, database):
    """An open database in the newest format, without collections; with keys, unless the test brings its own root."""
    opened = await (PostgresEngine.open(database) if database else SqliteEngine.open(tmp_path / "data.db"))
    await migrate(opened, SYSTEM_MIGRATIONS)
    if not {"root", "transit"} & set(request.fixturenames):
        await open_ring(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def client(tmp_path, database):
    """A client of a backend on an empty data directory."""
    async with testing.client(tmp_path, database) as opened:
        yield opened


@pytest.fixture
async def mailing(tmp_path, database):
    """A client of a backend that really sends its letters."""
    async with testing.client(tmp_path, database, sends_mail=True) as opened:
        yield opened


@pytest.fixture
def seed(request):
    """What chance starts from; printed, and set with DRILL_SEED to run the same again."""
    chosen = int(os.environ.get("DRILL_SEED") or secrets.randbelow(10**9))
    request.config.stash.setdefault(SEEDS, []).append(f"DRILL_SEED={chosen} for {request.node.nodeid}")
    print(f"DRILL_SEED={chosen}")  # noqa: T201 - pytest shows it when the test fails
    return chosen


def pytest_terminal_summary(terminalreporter, config):
    """Print what chance started from, also when all went well."""
    for line in config.stash.get(SEEDS, []):
        terminalreporter.write_line(line)
