"""Key sets: what may be one, and which key opens what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from undercroft.encryption.failures import BadKeySet, KeyDestroyed, KeyDisabled, UnknownKey
from undercroft.encryption.keyset import Key, KeySet

MATERIAL = bytes(range(32))


def key(key_id, state="enabled", **facts):
    material = b"" if state == "destroyed" else MATERIAL
    return replace(Key(key_id, state, "AES256_GCM", "2026-01-01 00:00:00.000Z", material), **facts)


def key_set(*keys, primary=1):
    return KeySet("value", "posts/title", keys, primary)


def test_primary():
    """New values are sealed with the primary key, wherever in the set it stands."""
    assert key_set(key(2), key(1), key(3, "pending")).primary == key(1)


@pytest.mark.parametrize("state", ["enabled", "pending"])
def test_keys_that_open(state):
    """What another process sealed with a key that is still pending here opens here."""
    assert key_set(key(1), key(2, state)).opening(2) == key(2, state)


@pytest.mark.parametrize(
    ("state", "problem"), [("disabled", KeyDisabled), ("destroyed", KeyDestroyed), ("pending", UnknownKey)]
)
def test_keys_that_open_nothing(state, problem):
    """A key that is disabled, destroyed or not there is each told apart, by its id."""
    with pytest.raises(problem) as caught:
        key_set(key(1), key(2, state)).opening(3 if problem is UnknownKey else 2)

    assert caught.value.key_id == (3 if problem is UnknownKey else 2)
    assert str(caught.value.key_id) in caught.value.message() + caught.value.detail


@pytest.mark.parametrize(
    "keys",
    [
        (),
        (key(2),),
        (key(1, "pending"),),
        (key(1, "disabled"), key(2)),
        (key(1), key(1)),
        (key(0), key(1)),
        (key(2**32), key(1)),
        (key(1, material=MATERIAL[:31]),),
        (key(1), key(2, "destroyed", material=MATERIAL)),
        (key(1), key(2, state="lost")),
        (key(1, algorithm="AES128_CBC"),),
    ],
)
def test_no_key_set(keys):
    """A set without an enabled primary key, with two of one id or with a key that is none is refused."""
    with pytest.raises(BadKeySet):
        key_set(*keys)


def test_material_is_not_shown():
    """A key in a log or a traceback does not show what it is made of."""
    shown = repr(key_set(key(1)))

    assert "material" not in shown
    assert repr(MATERIAL) not in shown
