"""Fingerprints of sealed values."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from tinker import tink_mac

from undercroft.encryption.blind_index import BlindIndex, bound_to
from undercroft.encryption.failures import BadKeySet
from undercroft.encryption.lifecycle import new_set
from undercroft.encryption.place import frame


@pytest.fixture
def keys():
    return new_set("index", "users/email", "HMAC_SHA256_128")


def test_equal_values(keys):
    """Equal values have equal fingerprints of 16 bytes, and equal is what the field says it is."""
    index = BlindIndex(keys.primary, "email", "email")

    assert index.of("Ada@example.com") == index.of(" ada@EXAMPLE.com")
    assert len(index.of("")) == 16
    assert index.key_id == keys.primary_id


def test_exact(keys):
    """Where only the very same text is equal, another case is another value."""
    index = BlindIndex(keys.primary, "email", "exact")

    assert index.of("Ada") == index.of("Ada")
    assert len({index.of(text) for text in ("Ada", "ada", "Ada ", "", "\0", "\ud800")}) == 6


def test_where_it_was_made(keys):
    """The same value has another fingerprint in another field, for another tenant, and under another key."""
    other = new_set("index", "users/email", "HMAC_SHA256_128")
    places = [
        (keys, "email", None),
        (keys, "name", None),
        (keys, "email", ""),
        (keys, "email", "t1"),
        (keys, "emailt", "1"),
        (other, "email", None),
    ]

    made = {BlindIndex(one.primary, field, "exact", tenant).of("ada") for one, field, tenant in places}

    assert len(made) == len(places)


def test_tenant_is_no_value(keys):
    """A tenant together with a value is never taken for a longer value."""
    with_tenant = BlindIndex(keys.primary, "email", "exact", "a").of("b")

    assert with_tenant not in {
        BlindIndex(keys.primary, "email", "exact").of(text) for text in ("ab", "a\0\0\0\1b", "b")
    }


@pytest.mark.parametrize("form", ["json", "binary"])
def test_tink_makes_the_same(keys, form, seed):
    """Tink's MAC of the same bytes is the same fingerprint."""
    random, mac = Random(seed), tink_mac(keys, form)
    for number in range(1000):
        text = "".join(map(chr, random.choices(range(32, 0xD800), k=random.randrange(40))))
        tenant = f"t{number}" if number % 2 else None
        made = BlindIndex(keys.primary, "email", "exact", tenant).of(text)

        assert mac.compute_mac(bound_to("email", tenant) + frame(text.encode())) == made


@pytest.mark.parametrize("changed", [{"algorithm": "AES256_GCM"}, {"state": "disabled"}])
def test_keys_for_something_else(keys, changed):
    """A key that is for sealing, or is disabled, makes no fingerprints."""
    with pytest.raises(BadKeySet):
        BlindIndex(replace(keys.primary, **changed), "email", "exact")
