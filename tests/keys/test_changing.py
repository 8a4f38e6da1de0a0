"""What is done with the keys of a set: added, promoted, disabled, enabled, destroyed, each step whole and written down."""

import pytest

from undercroft.encryption.failures import KeyDestroyed, KeyDisabled, KeyNotMoved
from undercroft.encryption.place import FieldPlace
from undercroft.encryption.values import FieldCipher
from undercroft.keys.audit import list_entries
from undercroft.keys.changing import SetOf, StillWanted, add_key, destroy_key, disable_key, enable_key, promote_key
from undercroft.keys.making import make_key_set
from undercroft.keys.ring import UnknownKeySet

pytestmark = pytest.mark.anyio


@pytest.fixture
async def keys(engine, ring):
    """The keys of a field."""
    await engine.write(lambda tx: make_key_set(tx, engine.dialect, ring, "value", "pbc_1/text2"))
    return SetOf(engine, ring, "value", "pbc_1/text2", "the test")


def cipher(ring):
    return FieldCipher(ring.key_set("value", "pbc_1/text2"), FieldPlace(ring.app_id, "pbc_1", "text2"))


async def turn(keys):
    """Put a new key in the place of the primary one; both ids."""
    old = keys.keyring.key_set(keys.purpose, keys.scope).primary_id
    new = (await add_key(keys)).id
    await promote_key(keys, new)
    return old, new


async def test_a_pending_key_seals_nothing(keys, ring, other_ring):
    """But what it sealed elsewhere opens, for another process may be a step ahead."""
    key = await add_key(keys)
    await other_ring.refresh()
    held = other_ring.key_set("value", "pbc_1/text2")

    assert key.state == "pending"
    assert held.primary_id != key.id
    assert held.opening(key.id) == key


async def test_a_key_that_is_pending_is_not_added_twice(keys):
    """A rotation that was interrupted goes on with it."""
    assert await add_key(keys) == await add_key(keys)


async def test_what_the_old_key_sealed_still_opens(keys, ring, other_ring):
    """In every process, after the new one was promoted."""
    before = cipher(ring).seal(b"value", "rec1")
    old, new = await turn(keys)
    await other_ring.refresh()
    after = cipher(ring).seal(b"value", "rec1")

    assert cipher(other_ring).open(before, "rec1") == cipher(other_ring).open(after, "rec1") == b"value"
    assert before[1:5] == old.to_bytes(4, "big")
    assert after[1:5] == new.to_bytes(4, "big")


async def test_a_disabled_key_opens_nothing_until_it_is_enabled(keys, ring, other_ring):
    """It is named in the error."""
    sealed = cipher(ring).seal(b"value", "rec1")
    old, _ = await turn(keys)
    await disable_key(keys, old)
    await other_ring.refresh()
    for held in (ring, other_ring):
        with pytest.raises(KeyDisabled) as shut:
            cipher(held).open(sealed, "rec1")
        assert str(old) in shut.value.message()
    await enable_key(keys, old)

    assert cipher(ring).open(sealed, "rec1") == b"value"


async def test_a_destroyed_key_is_gone(keys, ring, engine, open_again):
    """From memory and from the database; its number stays, to be named."""
    sealed = cipher(ring).seal(b"value", "rec1")
    old, _ = await turn(keys)
    await disable_key(keys, old, keep_days=0)
    await destroy_key(keys, old)
    for held in (ring, await open_again()):
        with pytest.raises(KeyDestroyed):
            cipher(held).open(sealed, "rec1")
        assert held.key_set("value", "pbc_1/text2").find(old).material == b""

    rows = await engine.read('SELECT "wrapped" FROM "_keys" WHERE "key_id" = ' + str(old))
    assert rows == [("",)]


async def test_a_key_is_kept_for_backups(keys):
    """Some days after it was disabled it may be destroyed, and before only on purpose."""
    old, _ = await turn(keys)
    await disable_key(keys, old, keep_days=2)
    with pytest.raises(StillWanted) as wanted:
        await destroy_key(keys, old)
    await destroy_key(keys, old, is_early=True)

    assert wanted.value.code == "key_still_wanted"


@pytest.mark.parametrize("step", [disable_key, destroy_key, enable_key])
async def test_the_key_that_seals_stays(keys, ring, step):
    """It cannot be taken away, and an attempt changes nothing."""
    before = ring.key_set("value", "pbc_1/text2")
    with pytest.raises(KeyNotMoved) as refused:
        await step(keys, before.primary_id)

    assert refused.value.code == "key_not_moved"
    await ring.refresh()
    assert ring.key_set("value", "pbc_1/text2") is before


async def test_a_key_is_destroyed_after_it_was_disabled(keys):
    """Not at once, so that what still needs it is found in time."""
    old, _ = await turn(keys)
    with pytest.raises(KeyNotMoved):
        await destroy_key(keys, old)


async def test_a_set_that_is_not_there_is_unknown(engine, ring):
    """Nothing is made by the way."""
    with pytest.raises(UnknownKeySet):
        await add_key(SetOf(engine, ring, "value", "pbc_1/other"))


async def test_every_step_is_written_down(keys, engine):
    """In its order, with the key and who did it."""
    old, new = await turn(keys)
    await disable_key(keys, old, keep_days=0)
    await enable_key(keys, old)
    await disable_key(keys, old, keep_days=0)
    await destroy_key(keys, old)
    entries = [each for each in await list_entries(engine) if each.scope == "pbc_1/text2"]

    assert [(each.event, each.key_id) for each in reversed(entries)] == [
        *(("key_created", old), ("key_created", new), ("rotation_started", new)),
        *(("key_promoted", new), ("rotation_ended", new)),
        *(("key_disabled", old), ("key_enabled", old), ("key_disabled", old), ("key_destroyed", old)),
    ]
    assert {each.actor for each in entries[:-1]} == {"the test"}


async def test_those_who_wait_for_promotions_are_part_of_them(keys, ring, engine):
    """What they write is there with the promotion; what they refuse undoes it."""
    told = []

    async def note(tx, promotion):
        told.append(promotion)
        await tx.run('UPDATE "_key_audit" SET "actor" = \'told\' WHERE "event" = \'root_made\'')

    async def refuse(tx, promotion):
        raise ZeroDivisionError

    ring.on_promotion.append(note)
    old, new = await turn(keys)
    key = await add_key(keys)
    ring.on_promotion.append(refuse)
    with pytest.raises(ZeroDivisionError):
        await promote_key(keys, key.id)

    assert (told[0].purpose, told[0].scope, told[0].old_id, told[0].new_id) == ("value", "pbc_1/text2", old, new)
    await ring.refresh()
    assert ring.key_set("value", "pbc_1/text2").primary_id == new
    assert [each.actor for each in await list_entries(engine) if each.event == "root_made"] == ["told"]
