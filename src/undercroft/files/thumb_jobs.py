"""What the server and the processes that make thumbs say to each other: frames of MessagePack on two pipes."""

from __future__ import annotations

from typing import IO, Final

from msgspec import Struct, ValidationError, msgpack

from undercroft.encryption.file_keys import Lock
from undercroft.files.thumb_size import Size

IMAGE_TYPES: Final = ("image/avif", "image/gif", "image/jpeg", "image/png", "image/webp")

_LENGTH: Final = 4
_LONGEST: Final = 65_536


class SealedAs(Struct, frozen=True):
    """How a file on disk is sealed, which had that many bytes before; of one that is to be made, only with what."""

    lock: Lock
    header: bytes = b""
    size: int = 0


class Job(Struct, frozen=True):
    """Make a thumb of the file at `source`, an image of a `type` of `IMAGE_TYPES`, and write it to `target`.

    Either can be sealed, and is then never on a disk in clear.
    """

    source: str
    type: str
    size: Size
    target: str
    source_sealed: SealedAs | None = None
    target_sealed: SealedAs | None = None


class Answer(Struct, frozen=True):
    """Why there is no thumb; empty when it is written."""

    refusal: str = ""


def encode_frame(message: Job | Answer) -> bytes:
    """A message with its length before it."""
    body = msgpack.encode(message)
    return len(body).to_bytes(_LENGTH) + body


def read_job(source: IO[bytes]) -> Job | None:
    """The next job, or None at the end."""
    body = _read_frame(source)
    return msgpack.decode(body, type=Job) if body is not None else None


def read_answer(source: IO[bytes]) -> Answer | None:
    """The next answer, or None at the end; nonsense counts as the end."""
    try:
        body = _read_frame(source)
        return msgpack.decode(body, type=Answer) if body is not None else None
    except (ValueError, ValidationError):
        return None


def _read_frame(source: IO[bytes]) -> bytes | None:
    head = source.read(_LENGTH)
    length = int.from_bytes(head)
    if len(head) < _LENGTH or length > _LONGEST:
        return None
    body = source.read(length)
    return body if len(body) == length else None
