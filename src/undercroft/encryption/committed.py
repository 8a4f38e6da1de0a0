"""Streams that open under one key only: what a backup is.

A stream by itself can be made so that it opens under two keys, to two different contents. Here a header comes
first: `UCS1 | key id (4) | salt (32) | length of the note (4) | note | commitment (32)`. The commitment is the HMAC
of all before it under a key that is derived from the file key and the salt, so nobody finds two keys that agree on
it. The stream behind the header is Tink's, under the file key itself, bound to the whole header. Its end is
authenticated, as that of every stream, so nothing need follow it. The note is for whoever opens it: which wrapped
key it takes, for example. It is not secret, and not to be trusted before the commitment was checked.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from secrets import token_bytes
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from undercroft.encryption.failures import DecryptionFailed
from undercroft.encryption.keyset import KEY_BYTES, Key
from undercroft.encryption.streams import StreamOpener, StreamSealer

MAGIC: Final = b"UCS1"
LONGEST_NOTE: Final = 64 * 1024
_SALT: Final = 32
_COMMITMENT: Final = 32
_NOTE_LENGTH: Final = slice(40, 44)
_NOTE_START: Final = 44
_PURPOSE: Final = b"uc1 commitment"


@dataclass(frozen=True, slots=True)
class Committed:
    """The header of a committed stream, read and not yet checked. `raw` is all of it."""

    key_id: int
    note: bytes
    raw: bytes


class CommittedSealer:
    """Seals one stream behind a committed header: `feed` it pieces, then `finish`."""

    def __init__(self, key: Key, note: bytes = b"") -> None:
        self.header = _make_header(key, note)
        self._stream = StreamSealer(key, self.header)
        self._ready = self.header

    def feed(self, piece: bytes) -> bytes:
        """What can be written after this piece has come; often nothing."""
        ready, self._ready = self._ready, b""
        return ready + self._stream.feed(piece)

    def finish(self) -> bytes:
        """The rest of the sealed stream."""
        return self._ready + self._stream.finish()


def read_header(start: bytes) -> Committed | None:
    """The header that these bytes start with; None when more of them are needed. Raises `DecryptionFailed`."""
    if not start.startswith(MAGIC[: len(start)]):
        raise DecryptionFailed("The stream does not begin like a committed one.")
    if len(start) < _NOTE_START:
        return None
    length = int.from_bytes(start[_NOTE_LENGTH], "big")
    if length > LONGEST_NOTE:
        raise DecryptionFailed("The header is longer than any.")
    end = _NOTE_START + length + _COMMITMENT
    if len(start) < end:
        return None
    return Committed(int.from_bytes(start[4:8], "big"), start[_NOTE_START : end - _COMMITMENT], start[:end])


def open_committed(key: Key, header: Committed) -> StreamOpener:
    """What opens the stream that follows the header. Raises `DecryptionFailed` when it was made with another key."""
    committed, commitment = header.raw[:-_COMMITMENT], header.raw[-_COMMITMENT:]
    if not hmac.compare_digest(_commitment(key, committed), commitment):
        raise DecryptionFailed("The header is not as it was written, or the key is another one.")
    return StreamOpener(key, header.raw)


def _make_header(key: Key, note: bytes) -> bytes:
    if len(note) > LONGEST_NOTE:
        raise ValueError(len(note))
    start = MAGIC + key.id.to_bytes(4, "big") + token_bytes(_SALT) + len(note).to_bytes(4, "big") + note
    return start + _commitment(key, start)


def _commitment(key: Key, start: bytes) -> bytes:
    salt = start[8 : 8 + _SALT]
    mac = HMAC(HKDF(SHA256(), KEY_BYTES, salt=salt, info=_PURPOSE).derive(key.material), SHA256())
    mac.update(start)
    return mac.finalize()
