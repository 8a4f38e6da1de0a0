"""A new key seals once every process has it: rotation, by hand and by itself."""

import asyncio
import logging

import pytest

from undercroft.database.leader import Always, Leader
from undercroft.encryption.lifecycle import ROTATE_AT, WARN_AT
from undercroft.keys.audit import list_entries
from undercroft.keys.changing import SetOf
from undercroft.keys.counting import Counting, save_counts
from undercroft.keys.holders import Presence, list_holders
from undercroft.keys.making import make_key_set
from undercroft.keys.rotation import IndexKeyStays, RollOutTooSlow, rotate_key, wait_for_holders

pytestmark = pytest.mark.anyio


def system(engine, ring):
    return SetOf(engine, ring, "system", "")


async def sealed_with(engine):
    """The id of the key that seals secrets of the system, as it is stored, and how many there are."""
    rows = await engine.read('SELECT "key_id", "is_primary" FROM "_keys" WHERE "purpose" = \'system\'')
    return next(key_id for key_id, is_primary in rows if is_primary), len(rows)


async def test_a_key_waits_for_all(engine, ring, other_ring):
    """The other process has not read it: the old one goes on sealing until it has."""
    other = Presence(engine, "other")
    await other.say(other_ring.revision)
    before, _ = await sealed_with(engine)
    task = asyncio.create_task(rotate_key(system(engine, ring), seconds=20))
    async with asyncio.timeout(10):
        while (await sealed_with(engine))[1] == 1:  # noqa: ASYNC110 - it is in the database
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    while_it_waits = await sealed_with(engine)
    await other_ring.refresh()
    await other.say(other_ring.revision)
    done = await task

    assert while_it_waits == (before, 2)
    assert (done.old_id, done.new_id) == (before, (await sealed_with(engine))[0])
    assert other_ring.key_set("system", "").opening(done.new_id)


async def test_a_process_that_does_not_answer_is_named(engine, ring, other_ring):
    """After a time; the new key stays pending, and the next rotation uses it."""
    await Presence(engine, "other").say(other_ring.revision)
    before, _ = await sealed_with(engine)
    with pytest.raises(RollOutTooSlow) as slow:
        await rotate_key(system(engine, ring), seconds=0.2)
    label = (await list_holders(engine))[0].label
    assert slow.value.code == "roll_out_too_slow"
    assert label in slow.value.message()
    assert await sealed_with(engine) == (before, 2)

    await other_ring.refresh()
    await Presence(engine, "other").say(other_ring.revision)
    await rotate_key(system(engine, ring), seconds=20)

    assert (await sealed_with(engine))[1] == 2
    events = [each.event for each in await list_entries(engine)]
    assert events.count("rotation_started") == 1
    assert {"rotation_failed", "rotation_ended"} <= set(events)


async def test_a_process_that_left_is_not_waited_for(engine, ring, other_ring):
    """Nor one whose time is over."""
    gone, dead = Presence(engine, "gone"), Presence(engine, "dead")
    await gone.say(other_ring.revision)
    await dead.say(other_ring.revision)
    await gone.leave()
    await engine.write(lambda tx: tx.run('UPDATE "_key_holders" SET "until" = 1 WHERE "owner" = \'dead\''))

    assert await wait_for_holders(engine, ring.revision + 1000, 0) == []
    await rotate_key(system(engine, ring), seconds=0.1)


async def test_the_key_of_an_index_does_not_turn_alone(engine, ring):
    """Fingerprints that were made with it would not be found with another one."""
    scope = "pbc_1/text2/1"
    made = await engine.write(
        lambda tx: make_key_set(tx, engine.dialect, ring, "index", scope, algorithm="HMAC_SHA256_128")
    )
    with pytest.raises(IndexKeyStays):
        await rotate_key(SetOf(engine, ring, "index", scope))
    await ring.refresh()

    assert ring.key_set("index", scope) is made


async def use(engine, uses):
    """Have the key of the system sealed so often."""
    await save_counts(engine, {("system", ""): uses})


async def lead(engine, ring):
    """Do what one process does for all about keys, as often as it is due."""
    await Leader(engine, Always(), Counting(engine, ring).duties).do_duties()


async def test_a_key_that_sealed_much_is_told_of_once(engine, ring, caplog, seed):
    """At 2^30, in the log and in the audit log; nothing else happens yet."""
    before = await sealed_with(engine)
    await use(engine, WARN_AT)
    with caplog.at_level(logging.WARNING, "undercroft"):
        for _ in range(3):
            await lead(engine, ring)

    assert caplog.text.count("many_uses") == 1
    assert [each.key_id for each in await list_entries(engine) if each.event == "many_uses"] == [before[0]]
    assert await sealed_with(engine) == before


async def test_a_key_that_sealed_too_much_turns_by_itself(engine, ring, caplog):
    """At 2^31: a new key is added, seals once every process has it, and is told of."""
    presence = Presence(engine, "this")
    await presence.say(ring.revision)
    old, _ = await sealed_with(engine)
    sealed = ring.seal_text("a|b|c", "text")
    await use(engine, ROTATE_AT)
    with caplog.at_level(logging.WARNING, "undercroft"):
        await lead(engine, ring)
        assert await sealed_with(engine) == (old, 2)
        await lead(engine, ring)
        assert await sealed_with(engine) == (old, 2)
        await ring.refresh()
        await presence.say(ring.revision)
        await lead(engine, ring)
        await ring.refresh()
    new, count = await sealed_with(engine)
    print(f"uses {ROTATE_AT}: key {old} -> {new}")  # noqa: T201 - the figure of the test

    assert new != old
    assert count == 2
    assert "many_uses" in caplog.text
    assert ring.open_text("a|b|c", sealed) == "text"
    assert ring.key_set("system", "").primary_id == new
    events = [(each.event, each.key_id) for each in await list_entries(engine)]
    for event in (("many_uses", old), ("rotation_started", new), ("key_promoted", new), ("rotation_ended", new)):
        assert events.count(event) == 1
    await lead(engine, ring)
    assert await sealed_with(engine) == (new, 2)


@pytest.mark.parametrize("short_of", [WARN_AT, ROTATE_AT])
async def test_one_use_less_is_not_enough(engine, ring, short_of):
    """The bounds are exact."""
    before = await sealed_with(engine)
    await use(engine, short_of - 1)
    await lead(engine, ring)

    assert await sealed_with(engine) == before
    told = [each for each in await list_entries(engine) if each.event == "many_uses"]
    assert len(told) == (short_of == ROTATE_AT)


async def test_counts_of_several_processes_add_up(engine, ring, other_ring):
    """Each adds what it counted."""
    for held in (ring, other_ring):
        held.take_counts()  # what was sealed at the start
    for held, times in ((ring, 3), (other_ring, 4)):
        for _ in range(times):
            held.seal_text("a|b|c", "text")
        await save_counts(engine, held.take_counts())
    await save_counts(engine, ring.take_counts())

    assert await engine.read('SELECT "uses" FROM "_keys" WHERE "purpose" = \'system\'') == [(7,)]
