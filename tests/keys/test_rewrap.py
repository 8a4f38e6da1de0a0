"""Another root key: all keys under it at once, or none; what they sealed opens as before."""

from dataclasses import replace

import pytest

from undercroft.http.calling import post
from undercroft.keys.audit import list_entries
from undercroft.keys.checking import check_keys
from undercroft.keys.holders import Presence
from undercroft.keys.making import make_key_set
from undercroft.keys.opening import open_keyring, unlock_root
from undercroft.keys.options import RootOptions, choose_root
from undercroft.keys.rewrap import StillServing, change_root
from undercroft.keys.root import RootMissing, WrongRoot, load_root

pytestmark = pytest.mark.anyio


@pytest.fixture
def root(tmp_path):
    """A root key in a file."""
    return choose_root(RootOptions(), tmp_path, post)


def passphrase(tmp_path, text="of the new one"):
    return choose_root(RootOptions(passphrase=text), tmp_path, post)


async def make_some(engine, ring):
    """Keys of every table, more than go into one statement."""

    async def make(tx):
        for number in range(250):
            await make_key_set(tx, engine.dialect, ring, "subject", f"pbc_1/{number}")
        await make_key_set(tx, engine.dialect, ring, "file", "pbc_1")

    await engine.write(make)


async def test_all_keys_are_under_the_new_root_key(engine, ring, root, tmp_path, open_again):
    """And what was sealed opens, here and after a restart."""
    await make_some(engine, ring)
    before = {(keys.purpose, keys.scope): keys for keys in ring.sets()}
    sealed = ring.seal_text("a|b|c", "text")
    new = passphrase(tmp_path)
    done = await change_root(engine, ring, new)
    print(f"{done.keys} keys rewrapped in {done.seconds * 1000:.0f} ms")  # noqa: T201 - the figure of the test

    again = await open_keyring(engine, new, await unlock_root(engine, new))
    assert (done.version, done.keys) == (2, 252)
    for held in (ring, again):
        assert {(keys.purpose, keys.scope): keys for keys in held.sets()} == before
        assert held.open_text("a|b|c", sealed) == "text"
    await again.load_subjects(["pbc_1/0", "pbc_1/249"])
    assert again.has("subject", "pbc_1/249")
    assert (await check_keys(engine, again.root_key)).broken == []
    with pytest.raises(RootMissing):
        await open_again()


async def test_a_new_key_in_the_same_file_is_found_by_servers(engine, ring, other_ring, tmp_path, open_again):
    """Which run on, and read it when they hear of it."""
    await Presence(engine, "other").say(other_ring.revision)
    text = (tmp_path / "root.key").read_text()
    done = await change_root(engine, ring, ring.root)
    await other_ring.refresh()

    assert other_ring.root_key.version == 2
    assert done.check[:8] in (tmp_path / "root.key").read_text()
    assert (await open_again()).key_set("system", "") == ring.key_set("system", "")
    (tmp_path / "root.key").write_text(text)
    with pytest.raises(WrongRoot):
        await open_again()


async def test_servers_that_would_not_find_it_are_in_the_way(engine, ring, root, tmp_path):
    """Nothing is changed, and they are named."""
    await Presence(engine, "other").say(ring.revision)
    before = await load_root(engine.read)
    with pytest.raises(StillServing) as refused:
        await change_root(engine, ring, passphrase(tmp_path))

    assert refused.value.code == "still_serving"
    assert await load_root(engine.read) == before


async def test_an_interruption_leaves_the_old_root_key(engine, ring, root, open_again, monkeypatch):
    """In the file, in the database, and for every key."""
    await make_some(engine, ring)
    before = await load_root(engine.read)

    async def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("undercroft.keys.rewrap._note", fail)
    with pytest.raises(ZeroDivisionError):
        await change_root(engine, ring, root)

    assert await load_root(engine.read) == before
    again = await open_again()
    assert (await check_keys(engine, again.root_key)).broken == []
    with pytest.raises(WrongRoot):
        await root.unlock(replace(before, version=2))


async def test_an_interruption_after_the_commit_leaves_both(engine, ring, root, open_again, monkeypatch):
    """The file has both root keys, and the database says which."""

    async def fail():
        raise ZeroDivisionError

    monkeypatch.setattr(ring, "refresh", fail)
    with pytest.raises(ZeroDivisionError):
        await change_root(engine, ring, root)

    assert (await open_again()).root_key.version == 2


async def test_it_is_written_down(engine, ring, root, tmp_path):
    """With who keeps the new one."""
    await change_root(engine, ring, passphrase(tmp_path), "somebody")
    entry = (await list_entries(engine))[0]

    assert (entry.event, entry.actor) == ("root_changed", "somebody")
    assert entry.detail["provider"] == "passphrase"


@pytest.mark.parametrize(
    "change", ["\"wrapped\" = replace(\"wrapped\", 'A', 'B')", "\"state\" = 'destroyed'", '"is_primary" = 0']
)
async def test_keys_that_were_tampered_with_are_found(engine, ring, change):
    """By a check, which names them."""
    await engine.write(lambda tx: tx.run(f'UPDATE "_keys" SET {change}'))
    checked = await check_keys(engine, ring.root_key)

    assert [broken.purpose for broken in checked.broken] == ["system"]
