"""What tus 1.0 says in headers, as values: https://tus.io/protocols/resumable-upload."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode
from dataclasses import dataclass
from typing import Any, Final

from undercroft.errors import BadRequest, Conflict, Gone, Locked, NotFound, Problem, TooLarge

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,termination,checksum,expiration"
ALGORITHMS: Final = ("sha1", "sha256", "sha512", "md5")
CONTENT_TYPE: Final = "application/offset+octet-stream"
_LONGEST_METADATA: Final = 4096
_LONGEST_NUMBER: Final = 15


class BadUploadHeader(BadRequest):
    """A header of a resumable upload is missing, or is not what it should be."""

    code = "bad_upload_header"


class UnknownTusVersion(Problem):
    """The request speaks another version of the upload protocol, or does not say which."""

    code = "unknown_tus_version"
    default = f"Say which version of the protocol you speak with the header Tus-Resumable: {VERSION}."


class NotAnUpload(Problem):
    """A piece of an upload came as another media type."""

    code = "not_an_upload"
    default = f"Pieces of an upload come with the header Content-Type: {CONTENT_TYPE}."


class NoSuchUpload(NotFound):
    """There is no upload of that id, or it is somebody else's."""

    code = "no_such_upload"
    default = "There is no such upload of yours. It may have been finished or deleted; begin a new one."


class UploadExpired(Gone):
    """The upload was not finished in time."""

    code = "upload_expired"
    default = "The upload was left alone for too long. Begin a new one."


class UploadElsewhere(Locked):
    """The upload began on another server, which alone has what arrived of it."""

    code = "upload_elsewhere"
    default = (
        "The upload began on another server of this site, and only that one can go on with it. "
        "Try again; a load balancer should send all requests of a client to one server."
    )


class WrongOffset(Conflict):
    """The piece does not begin where the upload ends."""

    code = "wrong_offset"

    def __init__(self, offset: int, stored: int) -> None:
        super().__init__(f"The piece begins at {offset}, but the upload goes on at {stored}.")


class UploadInterrupted(Conflict):
    """The piece did not arrive whole; what did arrive was kept."""

    code = "upload_interrupted"
    default = "The piece did not arrive whole. Ask for the offset, and go on from there."


class UploadLocked(Locked):
    """Another request is writing to the upload."""

    code = "upload_locked"
    default = "Another request is writing to this upload. Try again in a moment."


class WrongChecksum(Problem):
    """The piece is not what its checksum says, and was dropped."""

    code = "wrong_checksum"
    default = "The piece does not have the checksum it came with, and was dropped. Send it again."


class UploadTooLarge(TooLarge):
    """The upload is larger than any field would take, or than it was said to be."""

    code = "upload_too_large"

    def __init__(self, most: int) -> None:
        super().__init__(f"The upload may have at most {most} bytes.")


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a piece must sum up to."""

    algorithm: str
    digest: bytes

    def start(self) -> Any:
        """A hash to feed the piece to."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def parse_number(header: str, text: str | None) -> int:
    """A count of bytes. Raises `BadUploadHeader`."""
    if text is None:
        raise BadUploadHeader(f"The header {header} is missing.")
    if not (text.isascii() and text.isdigit()) or len(text) > _LONGEST_NUMBER:
        raise BadUploadHeader(f"The header {header} must be a number of bytes.")
    return int(text)


def parse_checksum(text: str | None) -> Checksum | None:
    """`ALGORITHM BASE64`, when there is one. Raises `BadUploadHeader`."""
    if text is None:
        return None
    algorithm, _, encoded = text.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise BadUploadHeader(f"No checksum algorithm {algorithm[:20]!r}: use one of {', '.join(ALGORITHMS)}.")
    return Checksum(algorithm, _decode("Upload-Checksum", encoded.strip()))


def parse_metadata(text: str | None) -> dict[str, str]:
    """`KEY BASE64,KEY BASE64,KEY` as texts by key. Raises `BadUploadHeader`."""
    found: dict[str, str] = {}
    if not text:
        return found
    if len(text) > _LONGEST_METADATA:
        raise BadUploadHeader(f"The header Upload-Metadata may have at most {_LONGEST_METADATA} characters.")
    for pair in text.split(","):
        key, _, encoded = pair.strip().partition(" ")
        if not key or not key.isascii() or key in found:
            raise BadUploadHeader("The header Upload-Metadata must have keys of ASCII letters, each once.")
        found[key] = _text(_decode("Upload-Metadata", encoded.strip()))
    return found


def _decode(header: str, encoded: str) -> bytes:
    try:
        return b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise BadUploadHeader(f"The header {header} must be in Base64.") from None


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise BadUploadHeader("The header Upload-Metadata must be UTF-8 in Base64.") from None
    if "\0" in text:
        raise BadUploadHeader("The header Upload-Metadata must not have a zero byte.")
    return text
