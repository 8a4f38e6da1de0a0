"""`undercroft apikeys`: keys made, shown and revoked from the command line."""

from __future__ import annotations

import pytest
from postgres import in_thread
from program import run

from undercroft import testing

ADA = {"email": "ada@example.com", "password": "correct-horse-9", "passwordConfirm": "correct-horse-9"}


@pytest.fixture
def place(tmp_path, database):
    """Data with a superuser and a user, and where they are."""

    async def prepare():
        async with testing.client(tmp_path / "data", database) as client:
            root = await client.superuser()
            made = await client.post("/api/collections/users/records", ADA, as_=root)
            return made.json["id"]

    return tmp_path, database, in_thread(prepare())


@pytest.fixture
def command(place):
    """Runs the command."""
    folder, database, _ = place
    where = ["--dir", "data", *(["--database", database] if database else [])]

    def call(*arguments):
        done = run("apikeys", *arguments, *where, folder=folder)
        return done.returncode, done.stdout + done.stderr

    return call


def opens(place, key):
    """The status of a request with a key."""
    folder, database, user = place

    async def ask():
        async with testing.client(folder / "data", database) as client:
            return (await client.get(f"/api/collections/users/records/{user}", as_=key)).status

    return in_thread(ask())


def test_a_key_from_beginning_to_end(place, command):
    """It is printed once, opens what it is for, is listed without its secret, and revoked."""
    code, told = command("create", "users/ada@example.com", "--name", "import", "--scope", "users:read")
    key = told.strip()
    key_id = key.split("_")[1]

    assert (code, key[:4], opens(place, key)) == (0, "uck_", 200)
    listed = command("list")[1]
    assert key_id in listed
    assert "import  users:read  -" in listed
    assert key.rpartition("_")[2] not in listed
    assert command("list", f"users/{place[2]}") == command("list")
    assert command("list", "root@example.com") == (0, "There are no API keys.\n")
    assert command("revoke", key_id) == (0, f"The API key {key_id} is revoked.\n")
    assert opens(place, key) == 404
    assert command("list") == (0, "There are no API keys.\n")


def test_what_is_wrong_is_told(command):
    """Each in a sentence."""
    name = ("--name", "x", "--scope")

    assert (
        "There is no account 'eva@example.com' in 'users'." in command("create", "users/eva@example.com", *name, "*")[1]
    )
    assert "There is no account 'me' in '_superusers'." in command("create", "me", *name, "*")[1]
    assert "There is no collection 'usrs'" in command("create", "usrs/x", *name, "*")[1]
    wrong = command("create", "root@example.com", *name, "users:all")
    assert (wrong[0] != 0, "scopes: 'users:all' is no scope" in wrong[1]) == (True, True)
    late = command("create", "root@example.com", *name, "read", "--expires", "2020-01-01")
    assert "expires: Must be a date to come." in late[1]
    assert "There is no API key 'nope'" in command("revoke", "nope")[1]
