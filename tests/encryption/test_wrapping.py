"""Wrapped keys, and root keys from passphrases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from argon2.low_level import Type, hash_secret_raw
from tink import core
from tinker import tink_aead

from undercroft.encryption.failures import DecryptionFailed, UnusablePassphrase, WrongRootKey
from undercroft.encryption.keyset import Key, KeySet
from undercroft.encryption.wrapping import (
    KeyName,
    RootKey,
    Stretching,
    check_root,
    new_stretching,
    stretch,
    unwrap,
    wrap,
)

ROOT = RootKey(3, bytes(range(32)))
NAME = KeyName("value", "posts/title", 77, "AES256_GCM")
KEY = bytes(reversed(range(32)))
QUICK = Stretching(bytes(16), memory=64, passes=1)


def test_round_trip():
    """A key comes back under its name and its root key; what is stored does not show it, and differs each time."""
    wrapped = wrap(KEY, NAME, ROOT)

    assert unwrap(wrapped, NAME, ROOT) == KEY
    assert wrapped.root_version == 3
    assert KEY not in wrapped.sealed
    assert wrap(KEY, NAME, ROOT).sealed != wrapped.sealed


@pytest.mark.parametrize("root", [RootKey(3, bytes(32)), RootKey(4, ROOT.material)])
def test_wrong_root(root):
    """Another root key, or another version of it, is told apart from a key that was altered, by check values."""
    wrapped = wrap(KEY, NAME, ROOT)

    with pytest.raises(WrongRootKey) as caught:
        unwrap(wrapped, NAME, root)

    assert (caught.value.key_id, caught.value.expected, caught.value.found) == (77, ROOT.check, root.check)
    assert root.check in caught.value.message()
    with pytest.raises(WrongRootKey):
        check_root(wrapped, NAME, root)


def test_check_value():
    """A root key's check value is always the same, and another key has another."""
    assert ROOT.check == RootKey(3, bytes(range(32))).check
    assert len(ROOT.check) == 32
    assert len({ROOT.check, RootKey(3, bytes(32)).check, RootKey(4, ROOT.material).check}) == 3


@pytest.mark.parametrize(
    "changed", [{"purpose": "index"}, {"scope": "posts/text"}, {"key_id": 78}, {"algorithm": "AES256_GCM_SIV"}]
)
def test_bound_to_its_name(changed):
    """A wrapped key is no key for anything else than what it was wrapped as."""
    with pytest.raises(DecryptionFailed):
        unwrap(wrap(KEY, NAME, ROOT), replace(NAME, **changed), ROOT)


def test_every_bit_and_length():
    """A wrapped key that was altered or cut does not unwrap."""
    wrapped = wrap(KEY, NAME, ROOT)
    altered = [wrapped.sealed[:length] for length in range(len(wrapped.sealed))] + [wrapped.sealed + b"\0"]
    for bit in range(len(wrapped.sealed) * 8):
        flipped = bytearray(wrapped.sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        altered.append(bytes(flipped))
    for sealed in altered:
        with pytest.raises(DecryptionFailed):
            unwrap(replace(wrapped, sealed=sealed), NAME, ROOT)


def test_tink_unwraps():
    """A wrapped key is what Tink's AEAD makes with the root key under its version."""
    root = KeySet("system", "root", (Key(3, "enabled", "AES256_GCM", "", ROOT.material),), 3)
    tink = tink_aead(root)
    bound_to = b"".join(
        len(part).to_bytes(4, "big") + part
        for part in (b"uc1wk", b"value", b"posts/title", b"\0\0\0M", b"\0\0\0\3", b"AES256_GCM")
    )

    assert tink.decrypt(wrap(KEY, NAME, ROOT).sealed, bound_to) == KEY
    with pytest.raises(core.TinkError):
        tink.decrypt(wrap(KEY, NAME, ROOT).sealed, b"")


@pytest.mark.parametrize(("version", "length"), [(0, 32), (2**32, 32), (1, 31), (1, 0)])
def test_no_root_key(version, length):
    """A root key has 32 bytes and a version from 1 on."""
    with pytest.raises(ValueError):
        RootKey(version, bytes(length))


def test_root_key_is_not_shown():
    """A root key in a log shows its version alone."""
    assert repr(ROOT) == "RootKey(version=3)"


def test_passphrase():
    """A passphrase is always the same root key under the same stretching, however its letters were typed."""
    root = stretch("grün und blau", QUICK, 2)

    assert root == stretch("gru\u0308n und blau", QUICK, 2)
    assert root.version == 2
    assert (
        len({root.check, stretch("grün und rot", QUICK, 2).check, stretch("grün und blau", other_salt(), 2).check}) == 3
    )


def other_salt():
    return replace(QUICK, salt=bytes(15) + b"\1")


def test_stretching_is_argon2id():
    """New stretching is Argon2id with 64 MiB, three passes and one lane, with a salt of its own."""
    how = new_stretching()
    plain = hash_secret_raw(b"x", how.salt, time_cost=3, memory_cost=65536, parallelism=1, hash_len=32, type=Type.ID)

    assert stretch("x", how, 1).material == plain
    assert new_stretching().salt != how.salt


def test_wrong_passphrase():
    """A wrong passphrase is noticed by the check value."""
    wrapped = wrap(KEY, NAME, stretch("right", QUICK, 1))

    assert unwrap(wrapped, NAME, stretch("right", QUICK, 1)) == KEY
    with pytest.raises(WrongRootKey):
        unwrap(wrapped, NAME, stretch("wrong", QUICK, 1))


@pytest.mark.parametrize(
    ("passphrase", "changed"),
    [
        ("", {}),
        ("x", {"salt": bytes(15)}),
        ("x", {"memory": 7}),
        ("x", {"memory": 2**20 + 1}),
        ("x", {"lanes": 0}),
        ("x", {"lanes": 5}),
        ("x", {"passes": 0}),
        ("x", {"passes": 21}),
    ],
)
def test_unusable_passphrase(passphrase, changed):
    """An empty passphrase is none, and a description of the stretching cannot make the server stretch for ever."""
    with pytest.raises(UnusablePassphrase):
        stretch(passphrase, replace(QUICK, **changed), 1)
