"""The life of keys: pending, enabled, primary, disabled, destroyed."""

from __future__ import annotations

import pytest

from undercroft.encryption import lifecycle
from undercroft.encryption.failures import KeyNotMoved
from undercroft.encryption.lifecycle import add, destroy, disable, enable, new_key, new_set, promote, verdict


@pytest.fixture
def keys():
    return new_set("value", "posts/title", "AES256_GCM")


def test_first_key(keys):
    """A new set has one key, of 32 random bytes, which seals at once."""
    assert keys.primary.state == "enabled"
    assert len(keys.primary.material) == 32
    assert new_set("value", "posts/title", "AES256_GCM").primary.material != keys.primary.material


def test_rotation(keys):
    """A key is added, promoted, and the one before it goes, with each step as it should be."""
    old = keys.primary_id
    keys, key = add(keys, "AES256_GCM_SIV")
    assert (key.state, keys.primary_id) == ("pending", old)

    keys = promote(keys, key.id)
    assert (keys.primary.id, keys.primary.algorithm) == (key.id, "AES256_GCM_SIV")
    assert keys.opening(old).state == "enabled"

    keys = disable(keys, old)
    assert enable(keys, old).opening(old).state == "enabled"

    gone = destroy(keys, old).find(old)
    assert (gone.state, gone.material) == ("destroyed", b"")


def test_way_back(keys):
    """Until the old key is disabled, promoting it again takes the rotation back."""
    old = keys.primary_id
    keys, key = add(keys, "AES256_GCM")

    assert promote(promote(keys, key.id), old).primary_id == old


def test_pending_key_is_dropped(keys):
    """A rotation that was given up leaves a key that sealed nothing, and can go at once."""
    keys, key = add(keys, "AES256_GCM")

    assert destroy(keys, key.id).find(key.id).state == "destroyed"


@pytest.mark.parametrize("step", [disable, destroy])
def test_primary_stays(keys, step):
    """The primary key cannot go before another is primary."""
    with pytest.raises(KeyNotMoved):
        step(keys, keys.primary_id)


@pytest.mark.parametrize("step", [promote, disable, enable, destroy])
def test_destroyed_key_does_not_come_back(keys, step):
    """Nothing can be done to a key that was destroyed, or was never there."""
    keys, key = add(keys, "AES256_GCM")
    keys = destroy(keys, key.id)

    with pytest.raises(KeyNotMoved):
        step(keys, key.id)
    with pytest.raises(KeyNotMoved):
        step(keys, 0)


@pytest.mark.parametrize("step", [disable, enable])
def test_pending_key_is_only_promoted(keys, step):
    """A pending key becomes primary or goes; it is not enabled behind the back of the other processes."""
    keys, key = add(keys, "AES256_GCM")

    with pytest.raises(KeyNotMoved):
        step(keys, key.id)


def test_ids_are_not_taken_twice(monkeypatch):
    """A random id that a key of the set has already is drawn again."""
    drawn = iter([6, 6, 41])
    monkeypatch.setattr(lifecycle.secrets, "randbelow", lambda _: next(drawn))

    assert new_key("AES256_GCM", taken=[7]).id == 42


@pytest.mark.parametrize(
    ("uses", "told"),
    [(0, "fine"), (2**30 - 1, "fine"), (2**30, "warn"), (2**31 - 1, "warn"), (2**31, "rotate"), (2**40, "rotate")],
)
def test_uses(uses, told):
    """A key is warned of after 2^30 messages and replaced after 2^31."""
    assert verdict(uses) == told
