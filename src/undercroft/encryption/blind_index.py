"""A keyed fingerprint beside a sealed value, by which equal values are found, and kept apart if they must be.

It is HMAC-SHA-256 under a key of its own, cut to 16 bytes: a Tink MAC with a tag of that size and no prefix gives
the same. Whoever has the database and not the key sees which values are equal, and nothing else.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from undercroft.encryption.failures import BadKeySet
from undercroft.encryption.keyset import Key
from undercroft.encryption.normalise import Normaliser, normalise
from undercroft.encryption.place import frame

INDEX_BYTES: Final = 16
_FORMAT: Final = b"uc1bx"


class BlindIndex:
    """The fingerprints of the values of one field under one key; of one tenant's, where there are tenants.

    The same value has another fingerprint in another field, for another tenant and under another key.
    Raises `BadKeySet` for a key that is for something else, or is not to be used now.
    """

    def __init__(self, key: Key, field_id: str, how: Normaliser, tenant: str | None = None) -> None:
        if key.algorithm != "HMAC_SHA256_128" or not key.opens:
            raise BadKeySet(field_id, f"has the {key.state} key {key.id} for {key.algorithm}, which makes no index")
        self.key_id = key.id
        self._how: Normaliser = how
        self._begun = HMAC(key.material, SHA256())
        self._begun.update(bound_to(field_id, tenant))

    def of(self, value: str) -> bytes:
        """The fingerprint of a value, 16 bytes."""
        normal = normalise(self._how, value).encode("utf-8", "surrogatepass")
        mac = self._begun.copy()
        mac.update(frame(normal))
        return mac.finalize()[:INDEX_BYTES]


def bound_to(field_id: str, tenant: str | None = None) -> bytes:
    """What stands before the framed value in what is fingerprinted."""
    return frame(_FORMAT, field_id.encode(), *([] if tenant is None else [tenant.encode()]))
