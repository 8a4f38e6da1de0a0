"""Keys of single files: one for each version of a file, made before its first byte arrives.

So a file is never on a disk in clear, not even while nobody knows which record it will be for. Its stream is
sealed with its own key and bound to the app and the version, which is random. The key is kept *wrapped*: sealed
in its turn with a key of the collection, as a stream of the same format, and bound to the place (app, collection,
record, name), to version, length and header. Where a file stands is proved by that: with the key of another place
nothing opens, and neither does another stream under this name. When the keys of the collection turn, wrapped keys
are wrapped anew, and no file is touched.

What is known of the file is wrapped together with its key: its media type, and the name it came with. A thumb of
an image is a stream of its own under the key of the image.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Final

import msgspec

from undercroft.encryption.failures import DecryptionFailed
from undercroft.encryption.keyset import KEY_BYTES, Key
from undercroft.encryption.place import FORMAT, frame
from undercroft.encryption.streams import SEGMENT, Cover, RangeOpener, StreamOpener, StreamSealer
from undercroft.ids import RECORD_ID_ALPHABET, random_text

VERSION_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class FileKey:
    """The key of one version of a file, and what the stream under it is bound to."""

    app_id: str
    version: str
    material: bytes = field(repr=False)

    def lock(self, thumb: str = "") -> Lock:
        """What seals and opens the file, or a thumb of it."""
        kind, rest = (b"thumb", (thumb.encode(),)) if thumb else (b"file", ())
        return Lock(self.material, frame(FORMAT, kind, self.app_id.encode(), self.version.encode(), *rest))


class Lock(msgspec.Struct, frozen=True):
    """What seals and opens one stream: a key, and what the stream is bound to."""

    material: bytes
    binding: bytes

    def __repr__(self) -> str:
        return "Lock()"

    def sealer(self) -> StreamSealer:
        """Seals the stream."""
        return StreamSealer(self._key, self.binding)

    def opener(self) -> StreamOpener:
        """Opens the whole stream."""
        return StreamOpener(self._key, self.binding)

    def range_opener(self, header: bytes, cover: Cover) -> RangeOpener:
        """Opens a range of the stream that begins with a header."""
        return RangeOpener(self._key, self.binding, header, cover)

    @property
    def _key(self) -> Key:
        return Key(1, "enabled", "AES256_GCM_HKDF_STREAM", material=self.material)


def new_file_key(app_id: str) -> FileKey:
    """A key for a version of a file that there has not been yet."""
    return FileKey(app_id, random_text(VERSION_LENGTH, RECORD_ID_ALPHABET), token_bytes(KEY_BYTES))


@dataclass(frozen=True, slots=True)
class SealedStream:
    """A stream that was sealed with the key of a file: `header` is how it begins, `size` how long it was before."""

    key: FileKey
    header: bytes
    size: int


@dataclass(frozen=True, slots=True)
class FilePlace:
    """Where a file is: what a wrapped key is bound to."""

    app_id: str
    collection_id: str
    record_id: str
    name: str

    def binding(self, version: str, header: bytes, size: int) -> bytes:
        """What the wrapped key of a version of the file is bound to."""
        where = (self.app_id, self.collection_id, self.record_id, self.name, version, str(size))
        return frame(FORMAT, b"file key", *(part.encode() for part in where), header)


class Contents(msgspec.Struct, frozen=True):
    """What is wrapped: the key of a file, its media type, the name it came with, and how long its segments are."""

    key: bytes
    type: str
    name: str
    segment: int = SEGMENT

    def __repr__(self) -> str:
        return "Contents()"


def wrap_file(key: Key, place: FilePlace, stream: SealedStream, media_type: str, name: str) -> bytes:
    """The key of a file and what is known of the file, sealed with a key of its collection."""
    binding = place.binding(stream.key.version, stream.header, stream.size)
    sealer = StreamSealer(key, binding)
    return sealer.feed(msgspec.msgpack.encode(Contents(stream.key.material, media_type, name))) + sealer.finish()


def unwrap_file(key: Key, binding: bytes, wrapped: bytes) -> Contents:
    """What was wrapped. Raises `DecryptionFailed`."""
    opener = StreamOpener(key, binding)
    contents = msgspec.msgpack.decode(opener.feed(wrapped) + opener.finish(), type=Contents)
    if contents.segment != SEGMENT:
        raise DecryptionFailed(f"The file has segments of {contents.segment} bytes, in place of {SEGMENT}.")
    return contents


def rewrap_file(old: Key, new: Key, binding: bytes, wrapped: bytes) -> bytes:
    """The same, sealed with another key of the collection. Raises `DecryptionFailed`."""
    sealer = StreamSealer(new, binding)
    return sealer.feed(msgspec.msgpack.encode(unwrap_file(old, binding, wrapped))) + sealer.finish()
