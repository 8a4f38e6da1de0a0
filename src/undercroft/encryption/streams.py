"""Files and other long things, sealed piece by piece as they pass, and opened whole or in ranges.

The format is Tink's AES-GCM-HKDF streaming: a header of 40 bytes (its own length, a salt of 32, 7 bytes that
begin every nonce), then segments of 64 KiB, each with its tag; the first is shorter by the header, the last
by what is missing. The key of a stream is made by HKDF of the file key, the salt and what the stream is bound
to, and a nonce has the number of its segment and whether it is the last: no segment opens in another place or
in another stream, and a stream that was cut does not open to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_bytes
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from undercroft.encryption.failures import BadKeySet, DecryptionFailed
from undercroft.encryption.keyset import KEY_BYTES, Key

SEGMENT: Final = 64 * 1024
HEADER_BYTES: Final = 40
_TAG: Final = 16
_ROOM: Final = SEGMENT - _TAG  # for plaintext, in every segment but the first
_SALT: Final = 32
_NONCE_START: Final = 7


class StreamFinished(RuntimeError):
    """A stream is to be gone on with after its end, where its nonces would be used again."""


class StreamSealer:
    """Seals one stream: `feed` it pieces, then `finish`; what both give is the sealed stream.

    It holds back less than a segment. `header` is what the sealed stream begins with.
    """

    def __init__(self, key: Key, associated_data: bytes) -> None:
        self.header = bytes([HEADER_BYTES]) + token_bytes(_SALT + _NONCE_START)
        self._segments = _Segments(key, self.header, associated_data)
        self._number = 0
        self._room = _ROOM - HEADER_BYTES
        self._waiting = bytearray()
        self._ready = self.header
        self._is_finished = False

    def feed(self, piece: bytes | memoryview) -> bytes:
        """What can be written after this piece has come; often nothing. Raises `StreamFinished`."""
        self._refuse_more()
        ready, self._ready = [self._ready], b""
        self._waiting += piece
        # A full segment waits for one more byte: it may be the last, which is sealed in its own way.
        while len(self._waiting) > self._room:
            ready.append(self._segments.seal(self._number, bytes(self._waiting[: self._room]), is_last=False))
            del self._waiting[: self._room]
            self._number += 1
            self._room = _ROOM
        return b"".join(ready)

    def finish(self) -> bytes:
        """The rest of the sealed stream. Raises `StreamFinished` if that was given already."""
        self._refuse_more()
        self._is_finished = True
        return self._ready + self._segments.seal(self._number, bytes(self._waiting), is_last=True)

    def _refuse_more(self) -> None:
        if self._is_finished:
            raise StreamFinished


class StreamOpener:
    """Opens one stream from its beginning, whatever its length: `feed` it pieces, then `finish`.

    What it gives is what was sealed, as far as it has come; that the end is the end is known from `finish` only.
    """

    def __init__(self, key: Key, associated_data: bytes) -> None:
        self._key = key
        self._associated_data = associated_data
        self._segments: _Segments | None = None
        self._number = 0
        self._waiting = bytearray()

    def feed(self, piece: bytes | memoryview) -> bytes:
        """What can be read after this piece has come; often nothing. Raises `DecryptionFailed`."""
        self._waiting += piece
        if self._segments is None:
            if len(self._waiting) < HEADER_BYTES:
                return b""
            self._segments = _Segments(self._key, bytes(self._waiting[:HEADER_BYTES]), self._associated_data)
            del self._waiting[:HEADER_BYTES]
        opened = []
        while len(self._waiting) > (size := _segment_size(self._number)):
            opened.append(self._segments.open(self._number, bytes(self._waiting[:size]), is_last=False))
            del self._waiting[:size]
            self._number += 1
        return b"".join(opened)

    def finish(self) -> bytes:
        """The rest. Raises `DecryptionFailed` when the stream did not come whole."""
        if self._segments is None:
            raise DecryptionFailed("The stream ends within its header.")
        return self._segments.open(self._number, bytes(self._waiting), is_last=True)


@dataclass(frozen=True, slots=True)
class Cover:
    """Which bytes of a sealed stream a range of the plaintext needs: from `start` to before `stop`.

    `skip` is how much of what they open to comes before the range, and `length` how long the range is.
    """

    start: int
    stop: int
    first: int
    last: int
    is_to_end: bool
    skip: int
    length: int


class RangeOpener:
    """Opens a range of a stream: `feed` it the bytes that its `Cover` names, then `finish`.

    `header` is the first 40 bytes of the sealed stream.
    """

    def __init__(self, key: Key, associated_data: bytes, header: bytes, cover: Cover) -> None:
        self._segments = _Segments(key, header, associated_data)
        self._cover = cover
        self._number = cover.first
        self._skip = cover.skip
        self._left = cover.length
        self._waiting = bytearray()

    def feed(self, piece: bytes | memoryview) -> bytes:
        """What can be read of the range after this piece has come; often nothing. Raises `DecryptionFailed`."""
        self._waiting += piece
        opened = []
        while self._number <= self._cover.last and len(self._waiting) >= (size := self._size()):
            opened.append(self._open(bytes(self._waiting[:size])))
            del self._waiting[:size]
        return b"".join(opened)

    def finish(self) -> None:
        """Nothing, if all of the range has come and nothing else. Raises `DecryptionFailed`."""
        if self._left or self._waiting:
            raise DecryptionFailed(f"The range ends {self._left} bytes early.")

    def _open(self, segment: bytes) -> bytes:
        is_last = self._cover.is_to_end and self._number == self._cover.last
        plain = self._segments.open(self._number, segment, is_last=is_last)
        wanted = plain[self._skip : self._skip + self._left]
        self._number += 1
        self._skip = 0
        self._left -= len(wanted)
        return wanted

    def _size(self) -> int:
        begin = max(self._number * SEGMENT, HEADER_BYTES)
        return min((self._number + 1) * SEGMENT, self._cover.stop) - begin


def cover(start: int, stop: int, size: int) -> Cover:
    """What to fetch for the bytes from `start` to before `stop` of a stream that was `size` bytes long.

    The range must have a byte in it, and end within the stream.
    """
    if not 0 <= start < stop <= size:
        raise ValueError((start, stop, size))
    first, last = (start + HEADER_BYTES) // _ROOM, (stop - 1 + HEADER_BYTES) // _ROOM
    sealed = sealed_size(size)
    return Cover(
        start=max(first * SEGMENT, HEADER_BYTES),
        stop=min((last + 1) * SEGMENT, sealed),
        first=first,
        last=last,
        is_to_end=(last + 1) * SEGMENT >= sealed,
        skip=start - max(first * _ROOM - HEADER_BYTES, 0),
        length=stop - start,
    )


def sealed_size(size: int) -> int:
    """How long a stream of that many bytes is once it is sealed."""
    segments = max(1, -(-(size + HEADER_BYTES) // _ROOM))
    return size + HEADER_BYTES + segments * _TAG


def plain_size(sealed: int) -> int:
    """How long a stream was that is now so long. Raises `DecryptionFailed` for a length that no stream has."""
    size = sealed - HEADER_BYTES - -(-sealed // SEGMENT) * _TAG
    if size < 0 or sealed_size(size) != sealed:
        raise DecryptionFailed(f"No sealed stream is {sealed} bytes long.")
    return size


class _Segments:
    """Seals and opens the segments of one stream, each by its number."""

    def __init__(self, key: Key, header: bytes, associated_data: bytes) -> None:
        if key.algorithm != "AES256_GCM_HKDF_STREAM" or not key.opens:
            raise BadKeySet("", f"has the {key.state} key {key.id} for {key.algorithm}, which is not for streams")
        if len(header) != HEADER_BYTES or header[0] != HEADER_BYTES:
            raise DecryptionFailed("The stream does not begin like a sealed one.")
        derive = HKDF(SHA256(), KEY_BYTES, salt=header[1 : 1 + _SALT], info=associated_data)
        self._cipher = AESGCM(derive.derive(key.material))
        self._nonce_start = header[1 + _SALT :]

    def seal(self, number: int, plain: bytes, *, is_last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(number, is_last=is_last), plain, None)

    def open(self, number: int, segment: bytes, *, is_last: bool) -> bytes:
        try:
            return self._cipher.decrypt(self._nonce(number, is_last=is_last), segment, None)
        except InvalidTag:
            raise DecryptionFailed(f"Segment {number} of the stream is not as it was written.") from None

    def _nonce(self, number: int, *, is_last: bool) -> bytes:
        return self._nonce_start + number.to_bytes(4, "big") + bytes([is_last])


def _segment_size(number: int) -> int:
    return SEGMENT if number else SEGMENT - HEADER_BYTES
