"""Google Tink opens what we seal, and we open what it seals."""

from __future__ import annotations

import json
from random import Random

import pytest
from tink import core, proto_keyset_format, secret_key_access
from tinker import TinkStreams, handle, tink_aead, tink_mac

from undercroft.encryption.lifecycle import add, destroy, disable, new_set, promote
from undercroft.encryption.place import FieldPlace
from undercroft.encryption.streams import HEADER_BYTES, SEGMENT, StreamOpener, StreamSealer
from undercroft.encryption.tink_keysets import to_binary, to_json
from undercroft.encryption.values import FieldCipher

PLACE = FieldPlace("app", "posts", "title")
ROOM = SEGMENT - 16
EDGES = [edge for edge in (0, *(whole * ROOM - HEADER_BYTES for whole in range(1, 4))) for _ in range(5)]


@pytest.mark.parametrize("form", ["json", "binary"])
@pytest.mark.parametrize("algorithm", ["AES256_GCM", "AES256_GCM_SIV"])
def test_values(algorithm, form, seed):
    """Values go both ways: ten thousand in all for each algorithm."""
    random = Random(seed)
    keys = new_set("value", "posts/title", algorithm)
    ours, theirs = FieldCipher(keys, PLACE), tink_aead(keys, form)
    for _ in range(2500):
        value, record = random.randbytes(random.randrange(300)), f"r{random.randrange(10**9)}"
        bound_to = PLACE.associated_data(record)

        assert theirs.decrypt(ours.seal(value, record), bound_to) == value
        assert ours.open(theirs.encrypt(value, bound_to), record) == value


@pytest.mark.parametrize("form", ["json", "binary"])
def test_streams(form, seed):
    """Streams of every awkward length go both ways: five hundred in all."""
    random = Random(seed)
    keys = new_set("file", "posts", "AES256_GCM_HKDF_STREAM")
    tink = TinkStreams(keys, form)
    for number in range(125):
        size = max(0, random.choice(EDGES) + random.choice([-17, -16, -1, 0, 1, 15, 16, 17, random.randrange(99)]))
        plain, bound_to = random.randbytes(size), b"%d" % number
        sealer, opener = StreamSealer(keys.primary, bound_to), StreamOpener(keys.primary, bound_to)

        assert tink.open(sealer.feed(plain) + sealer.finish(), bound_to) == plain
        assert opener.feed(tink.seal(plain, bound_to)) + opener.finish() == plain


def test_tink_notices_too():
    """What we refuse, Tink refuses: a stream that was cut, or a value of another record."""
    keys, files = new_set("value", "", "AES256_GCM"), new_set("file", "", "AES256_GCM_HKDF_STREAM")
    sealer = StreamSealer(files.primary, b"")
    sealed = sealer.feed(bytes(100_000)) + sealer.finish()

    with pytest.raises(core.TinkError):
        tink_aead(keys).decrypt(FieldCipher(keys, PLACE).seal(b"x", "r1"), PLACE.associated_data("r2"))
    with pytest.raises((core.TinkError, OSError)):
        TinkStreams(files).open(sealed[:SEGMENT], b"")


def test_rotated_set():
    """A set with keys in every state opens what its keys opened, and seals with the primary one."""
    keys = new_set("value", "posts/title", "AES256_GCM")
    first, sealed = keys.primary_id, FieldCipher(keys, PLACE).seal(b"first", "r1")
    keys, second = add(keys, "AES256_GCM_SIV")
    keys, dropped = add(promote(keys, second.id), "AES256_GCM")
    keys, pending = add(destroy(keys, dropped.id), "AES256_GCM")

    tink, bound_to = tink_aead(keys, "binary"), PLACE.associated_data("r1")
    assert tink.decrypt(sealed, bound_to) == b"first"
    assert FieldCipher(keys, PLACE).open(tink.encrypt(b"second", bound_to), "r1") == b"second"
    assert tink.encrypt(b"", b"")[1:5] == second.id.to_bytes(4, "big")
    assert {entry["keyId"] for entry in json.loads(to_json(keys))["key"]} == {first, second.id, pending.id}

    without = tink_aead(disable(keys, first))
    with pytest.raises(core.TinkError):
        without.decrypt(sealed, bound_to)


@pytest.mark.parametrize("algorithm", ["AES256_GCM", "AES256_GCM_SIV", "HMAC_SHA256_128", "AES256_GCM_HKDF_STREAM"])
def test_forms(algorithm):
    """The two forms of an exported set are the same set, and the binary one is as Tink writes it."""
    keys, _ = add(new_set("value", "", algorithm), algorithm)

    as_json, as_binary = (handle(keys, form).keyset_info() for form in ("json", "binary"))

    assert as_json == as_binary
    assert as_json.primary_key_id == keys.primary_id
    written = proto_keyset_format.serialize(handle(keys, "json"), secret_key_access.TOKEN)
    assert written == to_binary(keys)


def test_text_form():
    """The text form says in Tink's words what each key is, and which state it is in."""
    keys = new_set("value", "", "AES256_GCM")
    keys, key = add(keys, "AES256_GCM_SIV")
    exported = json.loads(to_json(disable(promote(keys, key.id), keys.primary_id)))

    kinds = [entry["keyData"]["typeUrl"].rpartition(".")[2] for entry in exported["key"]]
    assert exported["primaryKeyId"] == key.id
    assert kinds == ["AesGcmKey", "AesGcmSivKey"]
    assert [entry["status"] for entry in exported["key"]] == ["DISABLED", "ENABLED"]
    assert {entry["outputPrefixType"] for entry in exported["key"]} == {"TINK"}


def test_mac_is_no_aead():
    """A set for fingerprints is nothing else to Tink either."""
    keys = new_set("index", "", "HMAC_SHA256_128")

    assert len(tink_mac(keys).compute_mac(b"x")) == 16
    with pytest.raises(core.TinkError):
        tink_aead(keys)
