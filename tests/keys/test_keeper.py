"""Keys while a server runs: confirmed again and again, let go of when they cannot be, and back when they can."""

import asyncio
import inspect
import logging
import time

import pytest
from transit import faulty_transit

from undercroft.encryption.failures import DecryptionFailed, KeysUnavailable
from undercroft.encryption.place import FieldPlace
from undercroft.http.calling import post
from undercroft.keys.audit import list_entries
from undercroft.keys.holders import Presence, list_holders
from undercroft.keys.keeper import Keeper, Pace
from undercroft.keys.opening import open_keyring, unlock_root
from undercroft.keys.options import choose_root

pytestmark = pytest.mark.anyio
QUICK = Pace(confirm=0.05, count=0.05, first_retry=0.05, last_retry=0.1, look=0.05)


@pytest.fixture
def transit():
    """A transit service that fails when it is told to."""
    with faulty_transit() as service:
        yield service


@pytest.fixture
async def kept(engine, tmp_path, transit):
    """A key ring under a transit service, good for a second, and who looks after it."""
    root = choose_root(transit.options, tmp_path, post)
    ring = await open_keyring(engine, root, await unlock_root(engine, root), cache_seconds=1.0)
    task = asyncio.create_task(Keeper(engine, ring, Presence(engine, "this"), QUICK).run())
    yield ring
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(holds, seconds=15.0):
    """Return once something holds. Raises `AssertionError` when that takes too long."""
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if found := await found if inspect.isawaitable(found) else found:
            return found
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("fault", ["500", "403"])
async def test_keys_are_let_go_of_in_time(kept, transit, fault, caplog):
    """They are used while the service is away for a short time, and not for longer; they come back with it."""
    transit.fault = fault
    kept.key_set("system", "")
    with caplog.at_level(logging.WARNING, "undercroft"):
        await until(lambda: kept.is_locked)
    with pytest.raises(KeysUnavailable) as locked:
        kept.key_set("system", "")

    assert kept.unconfirmed >= 1.0
    assert locked.value.retry_after > 0
    assert "The keys are let go of" in caplog.text
    assert caplog.text.count("cannot be confirmed") == 1
    transit.fault = ""
    await until(lambda: not kept.is_locked)
    assert kept.key_set("system", "").primary.state == "enabled"


async def test_a_short_absence_is_not_noticed(kept, transit):
    """The time begins anew with each confirmation."""
    for _ in range(4):
        transit.fault = "500"
        await asyncio.sleep(0.2)
        assert not kept.is_locked
        transit.fault = ""
        asked = transit.asked
        await until(lambda: transit.asked > asked + 1)  # noqa: B023 - it is called here

    assert not kept.is_locked


async def test_a_ring_that_is_locked_holds_up_nobody(engine, kept, transit):
    """It is not among those who have to read a new key first."""

    async def names():
        return [holder.owner for holder in await list_holders(engine)]

    async def is_here():
        return await names() == ["this"]

    async def is_gone():
        return await names() == []

    await until(is_here)
    transit.fault = "500"
    await until(is_gone)
    transit.fault = ""
    await until(is_here)


async def test_giving_out_the_root_key_is_written_down(engine, kept, transit):
    """Each time, with who keeps it."""
    transit.fault = "500"
    await until(lambda: kept.is_locked)
    transit.fault = ""
    await until(lambda: not kept.is_locked)

    async def is_written():
        found = [each for each in await list_entries(engine) if each.event == "root_unlocked"]
        return len(found) == 2 and found

    assert (await until(is_written))[0].detail == {"provider": "transit"}


async def test_what_does_not_open_is_written_down_once(engine, kept):
    """With collection, field and record; a thousand failures of one value are one entry."""
    place = FieldPlace(kept.app_id, "pbc_1", "text2")
    for _ in range(1000):
        kept.note_failure(DecryptionFailed("The tag does not match.", place, "rec3"))
    with pytest.raises(DecryptionFailed):
        kept.open_text("_params|value|settings", "no sealed text")

    async def are_written():
        found = [each for each in await list_entries(engine) if each.event == "decryption_failed"]
        return len(found) == 2 and found

    entries = await until(are_written)
    assert {each.detail["value"] for each in entries} == {"pbc_1|text2|rec3", "_params|value|settings"}


async def test_uses_are_written_down(engine, kept):
    """Now and then, all together; one more text was sealed at the start, the key that signs receipts."""
    for _ in range(5):
        kept.seal_text("a|b|c", "text")

    async def uses():
        return (await engine.read("SELECT uses FROM \"_keys\" WHERE purpose = 'system'"))[0][0] == 5 + 1

    await until(uses)
