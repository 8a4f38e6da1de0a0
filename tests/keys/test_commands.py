"""`undercroft keys`, on a database with a server and without one."""

import json
import stat

import pyrage
import pytest
from keys_command import Keys, until
from program import run
from roots import carry_root
from transit import open_bao

from undercroft.keys.options import KEY, PASSPHRASE
from undercroft.keys.root_texts import new_root_text


def test_a_life_of_a_key(keys):
    """Made, turned, disabled, enabled, destroyed: each step says what it did, and is listed and written down."""
    said = keys.run("create", "backup")
    first = keys.ids("backup")[0]
    assert f"Key {first} is made" in said
    assert "is there already" in keys.run("create", "backup")
    assert f"Key {first} still opens" in keys.run("rotate", "backup")
    second = keys.ids("backup")[0]

    keys.run("disable", str(second), code=1)
    keys.run("disable", str(first))
    assert "disabled until" in keys.run("list")
    keys.run("enable", str(first))
    keys.run("disable", str(first), "--keep-days", "1")
    assert "is kept until" in keys.run("destroy", str(first), "--yes", code=1)
    assert "is destroyed" in keys.run("destroy", str(first), "--yes", "--early")

    assert keys.ids("backup") == [second, first]
    assert str(first) not in keys.run("list")
    assert {"key_created", "key_promoted", "key_disabled", "key_enabled", "key_destroyed"} <= set(keys.events())
    assert "command line" in keys.run("audit")
    assert "Cannot be used: 0" in keys.run("check")


def test_destroying_is_confirmed(keys):
    """By the number of the key, and by nothing else."""
    keys.run("create", "backup")
    keys.run("rotate", "backup")
    _, old = keys.ids("backup")
    keys.run("disable", str(old), "--keep-days", "0")
    for typed, code in (("y\n", 1), (f"{old + 1}\n", 1), (f"{old}\n", 0)):
        assert "is lost for ever" in keys.run("destroy", str(old), typed=typed, code=code)


def test_the_server_keeps_what_it_needs(keys):
    """A key that sealed what a server needs at its start cannot be disabled, so nobody is locked out."""
    keys.run("rotate", "system")
    _, old = keys.ids()

    assert "stays enabled" in keys.run("disable", str(old), code=1)
    assert keys.run("list")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_keys_change_while_a_server_runs(keys, workers):
    """It hears of them within seconds: what a disabled key sealed is an error, and opens again with the key."""
    with keys.serving("--workers", workers):
        keys.make_briefs()
        until(lambda: len(keys.list()["holders"]) == int(workers))
        sealed = keys.cell()
        assert "seals now" in keys.run("rotate", "value", "briefs/email", "--seconds", "30")
        until(lambda: [work["state"] for work in json.loads(keys.run("work", "--json"))] == ["done"])
        keys.cell(sealed)
        assert keys.read() == "a@example.com"
        _, old = keys.ids("value", "briefs/email")
        keys.run("disable", str(old))
        until(lambda: keys.read() == 500)
        assert keys.call("GET", "/api/health").status_code == 200
        keys.run("enable", str(old))
        until(lambda: keys.read() == "a@example.com")
        keys.run("root")
        assert keys.list()["root"]["version"] == 2
        assert keys.call("POST", "/api/collections/briefs/records", {"email": "b@example.com"}).status_code == 200
    with keys.serving():
        assert keys.read() == "a@example.com"


def test_keys_can_be_taken_elsewhere(keys):
    """As a key set of Tink, in a file for its owner alone; that is written down."""
    said = keys.run("export", "--tink", "system", "--to", str(keys.folder / "system.json"))
    file = keys.folder / "system.json"

    assert "system.json" in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["primaryKeyId"] == keys.ids()[0]
    assert json.loads(keys.run("export", "--tink", "system")) == json.loads(file.read_text())
    assert keys.events().count("keys_exported") == 2


@pytest.mark.sqlite_only(reason="about where the root key is, which is the same on both")
def test_the_root_key_moves(keys, tmp_path):
    """From the folder to another file, into the environment, to a passphrase, under an identity and a transit service."""
    identity = tmp_path / "identity"
    identity.write_text(str(pyrage.x25519.Identity.generate()))
    text = new_root_text()
    keys.run("root", "--new-root-key-file", str(tmp_path / "elsewhere"))
    keys.environment = {"UNDERCROFT_ROOT_KEY_FILE": str(tmp_path / "elsewhere")}
    assert "is the one in use" in keys.run("root", "--new-root-key-file", str(tmp_path / "elsewhere"), code=78)
    keys.run("root", UNDERCROFT_NEW_ROOT_KEY=text)
    keys.environment = {KEY: text}
    keys.run("root", UNDERCROFT_NEW_ROOT_PASSPHRASE="a horse, a battery")
    keys.environment = {PASSPHRASE: "a horse, a battery"}
    keys.run("root", "--new-root-age-identity", str(identity))
    keys.environment = {"UNDERCROFT_ROOT_AGE_IDENTITY": str(identity)}
    (tmp_path / "bao").mkdir()
    with open_bao(tmp_path / "bao") as bao:
        token = {"UNDERCROFT_NEW_ROOT_TRANSIT_TOKEN": bao.transit_token}
        keys.run("root", "--new-root-transit-url", bao.transit_url, **token)
        keys.environment = {
            "UNDERCROFT_ROOT_TRANSIT_URL": bao.transit_url,
            "UNDERCROFT_ROOT_TRANSIT_TOKEN": bao.transit_token,
        }
        assert "Cannot be used: 0" in keys.run("check")
        assert keys.list()["root"]["version"] == 6
        keys.run("root")
        assert "Cannot be used: 0" in keys.run("check")
    keys.environment = {}
    said = keys.run("check", code=78)

    assert "version 7 of the root key (provider transit" in said
    assert keys.list()["root"]["provider"] == "transit"
    assert keys.events().count("root_changed") == 6


def test_a_root_key_that_servers_would_not_find_is_refused(keys):
    """They are named, and nothing is changed."""
    with keys.serving():
        until(lambda: keys.list()["holders"])
        said = keys.run("root", "--new-root-key-file", str(keys.folder / "elsewhere"), code=1)
        label = keys.list()["holders"][0]["label"]

    assert label in said
    assert keys.list()["root"]["version"] == 1
    assert not (keys.folder / "elsewhere").exists()


def test_looking_needs_no_root_key(keys):
    """But all that opens keys says that it is the wrong one, and ends with 78."""
    (keys.folder / "data" / "root.key").write_text(new_root_text())
    assert len(keys.list()["keys"]) > 0
    assert "root_made" in keys.events()

    for arguments in (("check",), ("rotate", "system"), ("export", "--tink", "system"), ("root",)):
        assert "Nothing was changed" in keys.run(*arguments, code=78)


def test_keys_of_nobody(keys):
    """What is not there is named, with what comes near."""
    for arguments, told in (
        (("rotate", "value", "user/email"), "Did you mean 'users'"),
        (("rotate", "value", "users/emial"), "Did you mean 'email'"),
        (("rotate", "value", "users/email"), "There are no value keys"),
        (("disable", "12"), "There is no key 12"),
    ):
        assert told in keys.run(*arguments, code=1)
    assert "Say which value keys" in keys.run("rotate", "value", code=2)
    assert "for the whole server" in keys.run("rotate", "system", "users", code=2)


def test_a_moved_database_keeps_its_keys(keys, tmp_path, request):
    """With its root key carried along, a server opens there what was sealed here."""
    with keys.serving():
        keys.make_briefs()
    if len(keys.place) > 2:
        target = ["--to", str(tmp_path / "moved")]
        moved = Keys(tmp_path, "")
        moved.place = ["--dir", str(tmp_path / "moved")]
    else:
        url = request.getfixturevalue("postgres").database()
        target = ["--to", url]
        moved = Keys(tmp_path, url)
        moved.place = ["--dir", str(tmp_path / "moved"), "--database", url]
    source = ["--from", keys.place[3]] if len(keys.place) > 2 else []
    done = run("move", *source, *target, "--dir", "data", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    carry_root(tmp_path / "data", tmp_path / "moved")

    assert moved.ids("value", "briefs/email") == keys.ids("value", "briefs/email")
    assert moved.events() == keys.events()
    assert "Cannot be used: 0" in moved.run("check")
    with moved.serving():
        assert moved.read() == "a@example.com"
