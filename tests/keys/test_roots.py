"""Who keeps the root key: each gives out the same one again, and says so when it is another, or none."""

import secrets
import stat
from base64 import b64encode

import pyrage
import pytest
from transit import faulty_transit, open_bao

from undercroft.config import BadConfig
from undercroft.http.calling import post
from undercroft.keys.options import RootOptions, choose_root
from undercroft.keys.root import BadRoot, RootMissing, RootUnavailable, StoredRoot, WrongRoot
from undercroft.keys.root_local import FILE_NAME
from undercroft.keys.root_texts import new_root_text

pytestmark = pytest.mark.anyio
KINDS = ["beside", "file", "environment", "passphrase", "passphrase file", "typed", "age", "transit", "openbao"]


@pytest.fixture(scope="module")
def bao(tmp_path_factory):
    """A real transit service."""
    with open_bao(tmp_path_factory.mktemp("bao")) as options:
        yield options


@pytest.fixture
def transit():
    """A transit service that fails when it is told to."""
    with faulty_transit() as service:
        yield service


@pytest.fixture
def make_options(tmp_path, request):
    """Makes options for a way to keep a root key; each time another root key, or another place for one."""

    def make(kind):
        file = tmp_path / secrets.token_hex(4)
        if kind == "passphrase file":
            file.write_text("a horse, a battery\n")
            return RootOptions(passphrase_file=str(file))
        if kind == "age":
            file.write_text(f"# public key: x\n{pyrage.x25519.Identity.generate()}\n")
            return RootOptions(age_identity=str(file))
        return {
            "beside": RootOptions,
            "file": lambda: RootOptions(key_file=str(file)),
            "environment": lambda: RootOptions(key=new_root_text()),
            "passphrase": lambda: RootOptions(passphrase=secrets.token_hex()),
            "typed": lambda: RootOptions(ask=lambda: "staple"),
            "transit": lambda: request.getfixturevalue("transit").options,
            "openbao": lambda: request.getfixturevalue("bao"),
        }[kind]()

    return make


def root_of(options, folder):
    return choose_root(options, folder, post)


def stored(root, made, check=None):
    return StoredRoot(made.key.version, root.provider, made.parameters, check or made.key.check)


@pytest.mark.parametrize("kind", KINDS)
async def test_it_is_given_out_again(kind, make_options, tmp_path):
    """By another process with the same options."""
    options = make_options(kind)
    root = root_of(options, tmp_path)
    made = await root.make(3)

    again = await root_of(options, tmp_path).unlock(stored(root, made))

    assert again == made.key
    assert again.version == 3


@pytest.mark.parametrize("kind", KINDS)
async def test_another_one_is_told_apart(kind, make_options, tmp_path):
    """The message names who keeps it, its version, and which check value is expected."""
    root = root_of(make_options(kind), tmp_path)
    made = await root.make(1)
    with pytest.raises(WrongRoot) as wrong:
        await root.unlock(stored(root, made, check="0123456789abcdef" * 2))

    assert wrong.value.code == "wrong_root"
    for fact in (root.source, "version 1", root.provider, "01234567", made.key.check[:8]):
        assert fact in wrong.value.message()


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_secret_is_shown(kind, make_options, tmp_path):
    """Neither of the options, nor of who keeps the key, nor of what was made."""
    options = make_options(kind)
    root = root_of(options, tmp_path)
    made = await root.make(1)
    shown = repr((options, root, made, made.key)) + str(options)

    for secret in (options.key, options.passphrase, options.transit_token, "staple", "battery", "AGE-SECRET"):
        assert not secret or secret not in shown
    assert b64encode(made.key.material).decode() not in shown
    assert made.key.material.hex() not in shown


@pytest.mark.parametrize("kind", ["beside", "file", "age"])
async def test_a_file_that_is_gone_is_missed(kind, make_options, tmp_path):
    """No other is made in its place."""
    options = make_options(kind)
    root = root_of(options, tmp_path)
    made = await root.make(1)
    known = stored(root, made)
    for file in tmp_path.iterdir():
        file.unlink()

    with pytest.raises(RootMissing) as missing:
        await root.unlock(known)

    assert missing.value.code == "root_missing"
    assert made.key.check[:8] in missing.value.message()
    assert list(tmp_path.iterdir()) == []


async def test_the_file_is_for_its_owner_alone(tmp_path):
    """And says in words what it is."""
    made = await root_of(RootOptions(), tmp_path).make(1)
    file = tmp_path / FILE_NAME

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made.key.check[:8] in file.read_text()
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


async def test_a_file_that_is_there_is_used(tmp_path):
    """A key that was made elsewhere, for example by `openssl rand -base64 32`."""
    material = secrets.token_bytes(32)
    (tmp_path / "key").write_text(f"# of the safe\n\n{b64encode(material).decode()}\n")

    assert (await root_of(RootOptions(key_file=str(tmp_path / "key")), tmp_path).make(1)).key.material == material


async def test_one_key_takes_the_place_of_another_in_a_file(tmp_path):
    """Both are there until it is known that the new one is in use, and the old one is back if it is not."""
    root = root_of(RootOptions(), tmp_path)
    old = await root.make(1)
    new = await root.make(2, is_fresh=True)
    for made in (old, new):
        assert await root.unlock(stored(root, made)) == made.key

    new.undo()
    assert await root.unlock(stored(root, old)) == old.key
    with pytest.raises(WrongRoot):
        await root.unlock(stored(root, new))

    newer = await root.make(2, is_fresh=True)
    newer.settle()
    assert await root.unlock(stored(root, newer)) == newer.key
    with pytest.raises(WrongRoot):
        await root.unlock(stored(root, old))


async def test_a_variable_may_hold_two_keys(tmp_path):
    """The check value tells which is in use, so servers can be restarted with both before it is changed."""
    old, new = new_root_text(), new_root_text()
    before = root_of(RootOptions(key=old), tmp_path)
    made = await before.make(1)
    between = root_of(RootOptions(key=f"{new},{old}"), tmp_path)
    fresh = await between.make(2, is_fresh=True)

    assert await between.unlock(stored(between, made)) == made.key
    assert await root_of(RootOptions(key=new), tmp_path).unlock(stored(between, fresh)) == fresh.key
    with pytest.raises(BadRoot):
        await before.make(2, is_fresh=True)


@pytest.mark.parametrize("text", ["", "short", "ü" * 44, b64encode(bytes(31)).decode(), b64encode(bytes(33)).decode()])
async def test_what_is_no_key_is_refused(tmp_path, text):
    """With a sentence that does not repeat it."""
    (tmp_path / "key").write_text(text)
    with pytest.raises(BadRoot) as refused:
        await root_of(RootOptions(key_file=str(tmp_path / "key")), tmp_path).make(1)

    assert not text or text not in refused.value.message()


async def test_an_empty_passphrase_is_refused(tmp_path):
    """It would be no secret."""
    (tmp_path / "phrase").write_text("\n")
    with pytest.raises(BadRoot):
        await root_of(RootOptions(passphrase_file=str(tmp_path / "phrase")), tmp_path).make(1)


async def test_two_places_are_refused(tmp_path):
    """Which one is meant cannot be known."""
    with pytest.raises(BadConfig) as refused:
        root_of(RootOptions(key=new_root_text(), passphrase="x"), tmp_path)

    assert "UNDERCROFT_ROOT_KEY and UNDERCROFT_ROOT_PASSPHRASE" in refused.value.message()


@pytest.mark.parametrize("fault", ["500", "503", "403", "429"])
async def test_a_service_that_refuses_is_away(transit, tmp_path, fault):
    """What it says of the reason is told to those who run the server."""
    root = root_of(transit.options, tmp_path)
    made = await root.make(1)
    transit.fault = fault
    with pytest.raises(RootUnavailable) as away:
        await root.unlock(stored(root, made))

    assert fault in away.value.message()
    assert transit.url in away.value.message()
    assert transit.token not in away.value.message()


async def test_a_service_that_hangs_is_away(transit, tmp_path, monkeypatch):
    """It is waited for some seconds, and no longer."""
    monkeypatch.setattr("undercroft.http.calling.SECONDS", 0.3)
    root = root_of(transit.options, tmp_path)
    made = await root.make(1)
    transit.fault = "hang"
    with pytest.raises(RootUnavailable):
        await root.unlock(stored(root, made))


async def test_a_service_with_another_key_is_wrong(transit, bao, tmp_path):
    """It cannot decrypt what another one has encrypted."""
    ours, theirs = root_of(transit.options, tmp_path), root_of(bao, tmp_path)
    made = await ours.make(1)
    with pytest.raises(WrongRoot) as wrong:
        await theirs.unlock(stored(ours, made))

    assert "400" in wrong.value.message()


async def test_a_service_without_a_token_is_refused(tmp_path):
    """At once, and it says what to set."""
    with pytest.raises(BadConfig) as refused:
        root_of(RootOptions(transit_url="http://127.0.0.1:1"), tmp_path)

    assert "UNDERCROFT_ROOT_TRANSIT_TOKEN" in refused.value.message()


async def test_a_token_file_is_read_each_time(transit, tmp_path):
    """Whoever renews the token writes it there."""
    (tmp_path / "token").write_text("old\n")
    root = root_of(RootOptions(transit_url=transit.url, transit_token_file=str(tmp_path / "token")), tmp_path)
    with pytest.raises(RootUnavailable):
        await root.make(1)
    (tmp_path / "token").write_text(f"{transit.token}\n")

    assert (await root.make(1)).key.version == 1
