"""`undercroft keys erase`, `receipt` and `erased`, while no server runs."""

import asyncio
import json

import pytest
from click.testing import CliRunner
from coming_along import settle
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from undercroft.cli.main import cli
from undercroft.encryption.receipts import parse_receipt, receipt_text, sign
from undercroft.errors import Problem
from undercroft.keys.changing import SetOf, destroy_key, disable_key
from undercroft.keys.rotation import rotate_key
from undercroft.testing import client

FIELDS = [
    {"name": "tenant", "type": "text", "required": True},
    {"name": "note", "type": "text", "encrypted": {"shred": "tenant"}},
]
NOTES = {"name": "notes", "fields": FIELDS, "listRule": "", "createRule": ""}


class Notes:
    """Notes of tenants in a database, and the command on it."""

    def __init__(self, folder, database):
        self._folder, self._database = folder, database

    def run(self, *arguments, code=0, typed=""):
        """What the command prints."""
        place = ["--dir", str(self._folder), *(["--database", self._database] if self._database else [])]
        done = CliRunner().invoke(cli, ["keys", *arguments, *place], input=typed)
        assert bool(done.exit_code) == bool(code), done.output
        return done.output + (done.exception.message() if isinstance(done.exception, Problem) else "")

    async def make(self):
        async with client(self._folder, self._database) as server:
            root = await server.superuser()
            assert (await server.post("/api/collections", NOTES, as_=root)).status == 200
            for tenant in ("one", "two"):
                body = {"tenant": tenant, "note": f"of {tenant}"}
                assert (await server.post("/api/collections/notes/records", body)).status == 200

    async def turn(self):
        """The key of the system turns, the server's secrets are sealed anew, and the old key is destroyed."""
        async with client(self._folder, self._database) as server:
            keys = SetOf(server.backend.engine, server.backend.keyring, "system", "")
            turned = await rotate_key(keys)
            await settle(server.backend)
            await disable_key(keys, turned.old_id)
            await destroy_key(keys, turned.old_id, is_early=True)

    async def read(self):
        async with client(self._folder, self._database) as server:
            listed = await server.get("/api/collections/notes/records", sort="tenant")
            return [item["note"] for item in listed.json["items"]]


@pytest.fixture
def notes(tmp_path, database):
    """A note of each of two tenants."""
    made = Notes(tmp_path / "data", database)
    asyncio.run(made.make())
    return made


def test_erased_and_proven(notes, tmp_path):
    """The name is typed, the receipt is right, and everybody else is as before."""
    receipt = tmp_path / "receipt.json"
    notes.run("erase", "one", typed="two\n", code=1)

    said = notes.run("erase", "one", "--to", str(receipt), typed="one\n")

    assert "is erased" in said
    assert "The receipt is right" in notes.run("receipt", str(receipt))
    assert "one" in notes.run("erased", "list")
    listed = json.loads(notes.run("erased", "list", "--json"))
    assert [each["receipt"] for each in listed] == [json.loads(receipt.read_text())]
    assert "subject_erased" in notes.run("audit")
    assert "Cannot be used: 0" in notes.run("check")
    assert asyncio.run(notes.read()) == ["", "of two"]


def test_nobody(notes):
    """An unknown name is an error that says so."""
    assert "There is no key for 'three'" in notes.run("erase", "three", "--yes", code=1)


def test_receipt_that_was_altered(notes, tmp_path):
    """Not one letter can be changed, and another server's receipt is none of ours."""
    receipt = tmp_path / "receipt.json"
    notes.run("erase", "one", "--yes", "--to", str(receipt))
    told = json.loads(receipt.read_text())

    receipt.write_text(json.dumps({**told, "subject": "two"}))
    assert "not as it was signed" in notes.run("receipt", str(receipt), code=1)
    receipt.write_text("{}")
    assert "no receipt" in notes.run("receipt", str(receipt), code=1)
    receipt.write_text(json.dumps(told))
    assert "another key" in notes.run("receipt", str(receipt), "--key", "another", code=1)
    receipt.write_text(receipt_text(sign(parse_receipt(json.dumps(told)), Ed25519PrivateKey.generate())))
    assert "another key" in notes.run("receipt", str(receipt), code=1)


def test_receipt_after_keys_turned(notes, tmp_path):
    """What was signed before the key of the system turned and was destroyed is this server's own; so is what follows."""
    first, second, carried = (tmp_path / name for name in ("first.json", "second.json", "carried.jsonl"))
    notes.run("erase", "one", "--yes", "--to", str(first))

    asyncio.run(notes.turn())

    assert "The receipt is right" in notes.run("receipt", str(first))
    notes.run("erase", "two", "--yes", "--to", str(second))
    assert "The receipt is right" in notes.run("receipt", str(second))
    assert json.loads(first.read_text())["publicKey"] == json.loads(second.read_text())["publicKey"]
    notes.run("erased", "export", str(carried))
    assert "0 erased, of 2" in notes.run("erased", "replay", str(carried))
    forged = receipt_text(sign(parse_receipt(first.read_text()), Ed25519PrivateKey.generate()))
    carried.write_text(f"{forged}\n")
    assert "another key" in notes.run("erased", "replay", str(carried), code=1)


def test_receipt_without_the_data(notes, tmp_path):
    """Whoever has the public key needs nothing else."""
    receipt = tmp_path / "receipt.json"
    notes.run("erase", "one", "--yes", "--to", str(receipt))
    key = json.loads(receipt.read_text())["publicKey"]

    done = CliRunner().invoke(cli, ["keys", "receipt", str(receipt), "--key", key, "--dir", str(tmp_path / "none")])

    assert "The receipt is right" in done.output


def test_carried_along(notes, tmp_path):
    """What is exported can be replayed any number of times, and only where it is from."""
    carried = tmp_path / "carried.jsonl"
    notes.run("erase", "one", "--yes")
    notes.run("erased", "export", str(carried))

    assert "0 erased, of 1" in notes.run("erased", "replay", str(carried))
    carried.write_text(carried.read_text().replace('"app":"', '"app":"x'))
    assert "of another app" in notes.run("erased", "replay", str(carried), code=1)
