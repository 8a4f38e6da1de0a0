"""Hashes: what is made, what is read, what is refused."""

from __future__ import annotations

import sys

import bcrypt
import pytest
from argon2 import PasswordHasher, extract_parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from undercroft.passwords import (
    DUMMY_HASH,
    LONGEST,
    BcryptMissing,
    UnusablePassword,
    Verdict,
    encode_password,
    hash_password,
    verify_password,
)

pytestmark = pytest.mark.real_hashes
RIGHT, WRONG = Verdict(ok=True), Verdict(ok=False)


def bcrypt_hash(text: str, mark: bytes = b"$2a$") -> str:
    made = bcrypt.hashpw(text.encode()[:72], bcrypt.gensalt(4))
    return (mark + made[4:]).decode()


def test_new_hashes_are_argon2id():
    """A new hash is Argon2id with 19 MiB, two passes and one lane, and has its own salt."""
    first, second = hash_password("correct horse"), hash_password("correct horse")

    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second
    assert verify_password("correct horse", first) == RIGHT
    assert verify_password("Correct horse", first) == WRONG


def test_dummy_hash_costs_the_same():
    """The hash that stands in for accounts that do not exist has the parameters of real ones."""
    assert extract_parameters(DUMMY_HASH) == extract_parameters(hash_password("x"))
    assert verify_password("", DUMMY_HASH) == WRONG


@pytest.mark.parametrize("mark", [b"$2a$", b"$2b$", b"$2y$"])
def test_bcrypt_is_read(mark: bytes):
    """A bcrypt hash of any make is accepted, and is to be replaced."""
    stored = bcrypt_hash("correct horse", mark)

    assert verify_password("correct horse", stored) == Verdict(ok=True, needs_upgrade=True)
    assert verify_password("correct house", stored) == WRONG


def test_bcrypt_reads_72_bytes():
    """A long password with a bcrypt hash still works: its first 72 bytes are what was hashed."""
    stored = bcrypt_hash("x" * 100)

    assert verify_password("x" * 100, stored).ok
    assert verify_password("x" * 72 + "y", stored).ok
    assert not verify_password("x" * 71, stored).ok


def test_argon2_reads_everything():
    """Two passwords that differ in their 73rd byte alone are different ones."""
    stored = hash_password("x" * 72 + "a")

    assert verify_password("x" * 72 + "a", stored) == RIGHT
    assert verify_password("x" * 72 + "b", stored) == WRONG


def test_nul_ends_nothing():
    """What stands after a NUL counts, for either kind of hash."""
    for stored in (hash_password("ab\x00cd"), bcrypt_hash("ab\x00cd")):
        assert verify_password("ab\x00cd", stored).ok
        assert not verify_password("ab\x00ce", stored).ok
        assert not verify_password("ab", stored).ok


def test_weaker_argon2_is_upgraded():
    """A hash made with less than we ask for is accepted once more, and is to be replaced."""
    stored = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")

    assert verify_password("correct horse", stored) == Verdict(ok=True, needs_upgrade=True)


@pytest.mark.parametrize(
    "stored", ["", "x", "$argon2id$", "$argon2id$v=19$m=1", "$2a$", "$2a$10$short", "$2b$99$" + "a" * 53]
)
def test_broken_hashes_match_nothing(stored: str):
    """What is no hash is nobody's password."""
    assert verify_password("correct horse", stored) == WRONG
    assert verify_password("", stored) == WRONG


@pytest.mark.parametrize("text", ["x" * (LONGEST + 1), "é" * 600, "x" * 10_000_000, "\ud800", "ab\udfffcd"])
def test_unusable(text: str):
    """More than 1,024 bytes, and what is no text, is refused before anything is hashed."""
    with pytest.raises(UnusablePassword):
        hash_password(text)
    with pytest.raises(UnusablePassword):
        verify_password(text, DUMMY_HASH)


def test_bcrypt_missing(monkeypatch: pytest.MonkeyPatch):
    """Without the package that reads bcrypt, the error says what to install."""
    monkeypatch.setitem(sys.modules, "bcrypt", None)

    with pytest.raises(BcryptMissing, match=r"undercroft\[bcrypt\]"):
        verify_password("x", "$2a$10$" + "a" * 53)


@settings(max_examples=12, deadline=None)
@given(st.text(max_size=300))
def test_any_text_round_trips(text: str):
    """Any text of the allowed length is a password, and a little more is another one."""
    assert encode_password(text) == text.encode()
    stored = hash_password(text)
    assert verify_password(text, stored).ok
    assert not verify_password(text + "x", stored).ok
