"""The key ring: sets are made in transactions, looked up from memory, and followed by other processes."""

import pytest

from undercroft.database.changes import Change, append_change
from undercroft.encryption.failures import DecryptionFailed, KeysUnavailable
from undercroft.encryption.texts import is_sealed_text
from undercroft.keys.making import make_key_set
from undercroft.keys.ring import STALE, StaleKeys, UnknownKeySet
from undercroft.keys.root import RootUnavailable

pytestmark = pytest.mark.anyio
FIELD = ("value", "pbc_1/text2")


async def make(engine, ring, purpose, scope):
    return await engine.write(lambda tx: make_key_set(tx, engine.dialect, ring, purpose, scope))


async def test_a_set_is_there_once_its_transaction_is(engine, ring):
    """Not before, and without a look at the database."""
    with pytest.raises(UnknownKeySet) as unknown:
        ring.key_set(*FIELD)

    made = await make(engine, ring, *FIELD)

    assert unknown.value.code == "unknown_key_set"
    assert ring.has(*FIELD)
    assert ring.key_set(*FIELD) is made
    assert made.primary.state == "enabled"


async def test_a_set_whose_transaction_is_undone_never_was(engine, ring):
    """Neither in memory nor in the database."""

    async def fail(tx):
        await make_key_set(tx, engine.dialect, ring, *FIELD)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await engine.write(fail)
    await ring.refresh()

    assert not ring.has(*FIELD)
    assert (await engine.read("SELECT count(*) FROM \"_keys\" WHERE purpose = 'value'"))[0][0] == 0


async def test_a_set_that_is_there_is_not_made_again(engine, ring, other_ring):
    """A process that has not heard of it gets the one that another made."""
    made = await make(engine, ring, *FIELD)
    found = await make(engine, other_ring, *FIELD)

    assert found == made
    assert other_ring.key_set(*FIELD) == made


async def test_another_process_has_a_set_after_a_refresh(engine, ring, other_ring):
    """It tells by one number whether there is anything new."""
    before = other_ring.revision
    made = await make(engine, ring, *FIELD)
    await other_ring.refresh()

    assert other_ring.key_set(*FIELD) == made
    assert other_ring.revision > before


async def test_what_has_not_changed_stays_the_same_object(engine, ring):
    """So that ciphers which were prepared for it can be kept."""
    made = await make(engine, ring, *FIELD)
    await make(engine, ring, "file", "pbc_1")
    await ring.refresh()

    assert ring.key_set(*FIELD) is made


async def test_keys_open_after_a_restart(engine, ring, root, open_again):
    """What one process has wrapped the next one unwraps."""
    made = await make(engine, ring, *FIELD)
    again = await open_again()

    assert again.key_set(*FIELD) == made
    assert again.app_id == ring.app_id


async def test_an_operation_of_a_stale_ring_is_run_again(engine, ring, other_ring):
    """The other ring is refreshed once, and the operation finds what it lacked."""
    await make(engine, ring, *FIELD)
    engine.knowledge = dict.fromkeys(STALE, other_ring)
    runs = []

    async def operation(tx):
        runs.append(1)
        await append_change(tx, engine.dialect, Change("record", "c", "r", "create"))
        return other_ring.key_set(*FIELD).primary_id

    assert await engine.write(operation) == ring.key_set(*FIELD).primary_id
    assert len(runs) == 2
    assert (await engine.read("SELECT count(*) FROM \"_changes\" WHERE kind = 'record'"))[0][0] == 1


async def test_an_operation_is_not_run_again_for_nothing(engine, ring):
    """Where the ring is as new as can be, what is not known is not known."""
    engine.knowledge = dict.fromkeys(STALE, ring)
    runs = []

    async def operation(tx):
        runs.append(1)
        ring.key_set(*FIELD)

    with pytest.raises(StaleKeys):
        await engine.write(operation)

    assert len(runs) == 1


async def test_keys_of_people_are_read_when_they_are_needed(engine, ring, other_ring):
    """They are told to nobody when they are made, and a refresh brings those that were missed."""
    made = await make(engine, ring, "subject", "pbc_1/anna")
    await make(engine, ring, "subject", "pbc_1/ben")
    await other_ring.refresh()
    with pytest.raises(UnknownKeySet):
        other_ring.key_set("subject", "pbc_1/anna")
    await other_ring.refresh()

    assert other_ring.key_set("subject", "pbc_1/anna") == made
    assert not other_ring.has("subject", "pbc_1/ben")
    await other_ring.load_subjects(["pbc_1/ben", "pbc_1/nobody"])
    assert other_ring.has("subject", "pbc_1/ben")


async def test_texts_are_sealed_for_their_context(ring, other_ring):
    """They are printable, and open where they stand and nowhere else."""
    sealed = ring.seal_text("_params|value|settings", "s3cret ☂")

    assert is_sealed_text(sealed)
    assert sealed.isascii()
    assert "s3cret" not in sealed
    assert other_ring.open_text("_params|value|settings", sealed) == "s3cret ☂"
    with pytest.raises(DecryptionFailed):
        ring.open_text("_params|value|other", sealed)


@pytest.mark.parametrize("text", ["", "s3cret", "uc1:", "uc1:AAAA", "uc1:ä", "uc1:" + "A" * 60])
async def test_what_is_no_sealed_text_does_not_open(ring, text):
    """It is refused, whatever it looks like, and none of it is in the refusal."""
    with pytest.raises(Exception) as refused:
        ring.open_text("_params|value|settings", text)

    assert refused.value.code in {"decryption_failed", "unknown_key"}
    assert not text or text not in repr(refused.value)


async def test_an_altered_text_does_not_open(ring):
    """Not with one bit changed, wherever."""
    sealed = ring.seal_text("a|b|c", "text")
    body = bytearray(sealed, "ascii")
    for position in range(len("uc1:"), len(body)):
        changed = body.copy()
        changed[position] = ord("A") if changed[position] != ord("A") else ord("B")
        with pytest.raises(Exception) as refused:
            ring.open_text("a|b|c", changed.decode())
        assert refused.value.code in {"decryption_failed", "unknown_key"}


async def test_a_locked_ring_holds_nothing(engine, ring):
    """It says that keys are unavailable, and when to ask again; what was made meanwhile is there afterwards."""
    await make(engine, ring, *FIELD)
    ring.lock(RootUnavailable("The vault is shut."))

    for use in (lambda: ring.key_set(*FIELD), lambda: ring.root_key, lambda: ring.seal_text("a|b|c", "x")):
        with pytest.raises(KeysUnavailable) as locked:
            use()
        assert locked.value.code == "keys_unavailable"
        assert locked.value.retry_after > 0
        assert "vault" not in locked.value.message()
    assert not ring.has(*FIELD)
    await ring.refresh()
    assert ring.is_locked

    await ring.unlock()
    assert ring.has(*FIELD)
    assert not ring.is_locked


async def test_nothing_secret_is_shown(engine, ring, root):
    """Neither of the ring nor of a set, a key or a root key."""
    made = await make(engine, ring, *FIELD)
    shown = repr([ring, made, made.primary, ring.root_key, root, vars(root) and repr(root)])

    for secret in (made.primary.material, ring.root_key.material):
        assert secret.hex() not in shown
        assert repr(secret) not in shown
