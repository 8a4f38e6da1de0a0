"""Sealed values: they open where they were sealed, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from undercroft.encryption.failures import (
    BadKeySet,
    DecryptionFailed,
    KeyDestroyed,
    KeyDisabled,
    UnknownKey,
)
from undercroft.encryption.lifecycle import add, destroy, disable, new_set, promote
from undercroft.encryption.place import FieldPlace, frame
from undercroft.encryption.values import OVERHEAD, FieldCipher, key_id_of, key_prefix

AEADS = ["AES256_GCM", "AES256_GCM_SIV"]
PLACE = FieldPlace("app", "posts", "title")


@pytest.fixture(params=AEADS)
def cipher(request):
    return FieldCipher(new_set("value", "posts/title", request.param), PLACE)


@pytest.mark.parametrize("value", [b"", b"a", "grün \0 🦊".encode(), bytes(100_000)])
def test_round_trip(cipher, value):
    """A value comes back as it was, 33 bytes longer while it is sealed, and different each time."""
    sealed = cipher.seal(value, "r1")

    assert cipher.open(sealed, "r1") == value
    assert len(sealed) == len(value) + OVERHEAD
    assert sealed != cipher.seal(value, "r1")


def test_key_is_named(cipher):
    """A sealed value begins with the id of its key."""
    sealed = cipher.seal(b"x", "r1")

    assert key_id_of(sealed) == cipher.keys.primary_id
    assert sealed.startswith(key_prefix(cipher.keys.primary_id))
    assert cipher.is_current(sealed)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"plain text", bytes(40), b"\x01" + bytes(31)])
def test_no_sealed_value(cipher, sealed):
    """What does not look sealed has no key, and does not open."""
    assert key_id_of(sealed) is None
    assert not cipher.is_current(sealed)
    with pytest.raises(DecryptionFailed):
        cipher.open(sealed, "r1")


def test_value_before_a_rotation(cipher):
    """A value that was sealed before a rotation opens after it, also if the algorithm is another one now."""
    sealed = cipher.seal(b"x", "r1")
    keys, key = add(cipher.keys, "AES256_GCM")
    after = FieldCipher(promote(keys, key.id), PLACE)

    assert after.open(sealed, "r1") == b"x"
    assert not after.is_current(sealed)


def test_value_of_a_process_that_is_ahead(cipher):
    """What a process seals that promoted a key already opens where the key is pending, and not where it is unknown."""
    keys, key = add(cipher.keys, "AES256_GCM")
    sealed = FieldCipher(promote(keys, key.id), PLACE).seal(b"x", "r1")

    assert FieldCipher(keys, PLACE).open(sealed, "r1") == b"x"
    with pytest.raises(UnknownKey) as caught:
        cipher.open(sealed, "r1")
    assert caught.value.key_id == key.id


def test_disabled_and_destroyed_keys(cipher):
    """What they sealed stays shut, and it is said which key it takes."""
    old, sealed = cipher.keys.primary_id, cipher.seal(b"x", "r1")
    keys, key = add(cipher.keys, "AES256_GCM")
    keys = disable(promote(keys, key.id), old)

    with pytest.raises(KeyDisabled, match=str(old)):
        FieldCipher(keys, PLACE).open(sealed, "r1")
    with pytest.raises(KeyDestroyed, match=str(old)):
        FieldCipher(destroy(keys, old), PLACE).open(sealed, "r1")


@pytest.mark.parametrize(
    ("place", "record"),
    [
        (FieldPlace("app", "posts", "title"), "r2"),
        (FieldPlace("app", "posts", "text"), "r1"),
        (FieldPlace("app", "drafts", "title"), "r1"),
        (FieldPlace("other", "posts", "title"), "r1"),
        (FieldPlace("app", "post", "stitle"), "r1"),
        (FieldPlace("app", "posts", "titler"), "1"),
        (FieldPlace("app", "posts", "title"), ""),
    ],
)
def test_moved_value(cipher, place, record):
    """A value that was copied to another record, field, collection or app does not open there."""
    sealed = cipher.seal(b"x", "r1")

    with pytest.raises(DecryptionFailed) as caught:
        FieldCipher(cipher.keys, place).open(sealed, record)

    problem = caught.value
    assert (problem.place, problem.record_id) == (place, record)
    assert f"{place.field_id} of the record {record!r} in the collection {place.collection_id}" in problem.detail
    assert problem.detail not in problem.message()


def test_every_bit_counts(seed):
    """A value with one bit the other way does not open, whichever bit it is."""
    random = Random(seed)
    for number in range(200):
        cipher = FieldCipher(new_set("value", "", AEADS[number % 2]), PLACE)
        sealed = cipher.seal(random.randbytes(random.randrange(24)), "r1")

        assert opens(cipher, sealed)
        assert not [bit for bit in range(len(sealed) * 8) if opens(cipher, flipped(sealed, bit))]


def flipped(sealed, bit):
    """The bytes with one bit the other way."""
    altered = bytearray(sealed)
    altered[bit // 8] ^= 1 << bit % 8
    return bytes(altered)


def opens(cipher, sealed):
    """Whether anything at all comes out of the bytes."""
    try:
        cipher.open(sealed, "r1")
    except (DecryptionFailed, UnknownKey):
        return False
    return True


def test_every_length_counts(cipher, seed):
    """A value that was cut short or made longer does not open, whatever its length."""
    sealed = cipher.seal(Random(seed).randbytes(300), "r1")

    for length in range(len(sealed)):
        with pytest.raises(DecryptionFailed):
            cipher.open(sealed[:length], "r1")
    with pytest.raises(DecryptionFailed):
        cipher.open(sealed + b"\0", "r1")


def test_name_of_another_live_key(cipher):
    """A value that was given the name of another key of the set, or of another format, does not open."""
    keys, key = add(cipher.keys, "AES256_GCM")
    sealed = cipher.seal(b"x", "r1")
    both = FieldCipher(promote(keys, key.id), PLACE)

    with pytest.raises(DecryptionFailed):
        both.open(key_prefix(key.id) + sealed[5:], "r1")
    for mark in (0, 2, 255):
        with pytest.raises(DecryptionFailed):
            both.open(bytes([mark]) + sealed[1:], "r1")


@pytest.mark.parametrize("algorithm", ["HMAC_SHA256_128", "AES256_GCM_HKDF_STREAM"])
def test_keys_for_something_else(algorithm):
    """Values are sealed with keys for values alone."""
    with pytest.raises(BadKeySet):
        FieldCipher(new_set("index", "posts/title", algorithm), PLACE)


def test_keys_for_another_way_of_sealing():
    """The same key for the other algorithm opens nothing."""
    keys = new_set("value", "", "AES256_GCM")
    other = replace(keys, keys=(replace(keys.primary, algorithm="AES256_GCM_SIV"),))
    sealed = FieldCipher(keys, PLACE).seal(b"x", "r1")

    with pytest.raises(DecryptionFailed):
        FieldCipher(other, PLACE).open(sealed, "r1")


def test_bound_to():
    """What a value is bound to is all of it, each part behind its length, and begins with the format."""
    assert PLACE.associated_data("r1") == frame(b"uc1", b"app", b"posts", b"title", b"r1")
    assert frame(b"uc1", b"") == b"\0\0\0\3uc1\0\0\0\0"


def test_another_field_with_the_same_keys():
    """Prepared ciphers that are lent to another field seal for that one alone."""
    keys = new_set("subject", "people/ann", "AES256_GCM")
    other = FieldPlace(PLACE.app_id, PLACE.collection_id, "other")
    first = FieldCipher(keys, PLACE)

    sealed = first.at(other).seal(b"x", "r1")

    assert FieldCipher(keys, other).open(sealed, "r1") == b"x"
    with pytest.raises(DecryptionFailed):
        first.open(sealed, "r1")
