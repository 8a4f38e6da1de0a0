"""Key rings on an open database, each as another process would have it."""

import secrets

import pytest
from keys_command import Keys

from undercroft.encryption.keyset import KEY_BYTES
from undercroft.encryption.wrapping import RootKey
from undercroft.http.calling import post
from undercroft.keys.opening import open_keyring, unlock_root
from undercroft.keys.options import RootOptions, choose_root
from undercroft.keys.root_texts import new_root_text


async def open_ring(engine, root):
    """A key ring of a database, as it is at the start of a process."""
    return await open_keyring(engine, root, await unlock_root(engine, root))


@pytest.fixture
def database(request):
    """The URL of a new PostgreSQL database that has no root key yet, or the empty text for SQLite."""
    if request.param == "sqlite":
        return ""
    return request.getfixturevalue("postgres").database(request.getfixturevalue("postgres_template"))


@pytest.fixture
def root(tmp_path):
    """A root key in a variable."""
    return choose_root(RootOptions(key=new_root_text()), tmp_path, post)


@pytest.fixture
async def ring(engine, root):
    """The key ring of a process."""
    return await open_ring(engine, root)


@pytest.fixture
async def other_ring(engine, root, ring):
    """The key ring of another process on the same database."""
    return await open_ring(engine, root)


@pytest.fixture
def random_root():
    """Makes root keys of a version."""
    return lambda version=1: RootKey(version, secrets.token_bytes(KEY_BYTES))


@pytest.fixture
def open_again(engine, root):
    """Opens the key ring as after a restart."""
    return lambda: open_ring(engine, root)


@pytest.fixture
def keys(tmp_path, database):
    """The command on a new database with a superuser."""
    made = Keys(tmp_path, database)
    made.superuser()
    return made
