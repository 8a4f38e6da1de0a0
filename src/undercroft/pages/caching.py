"""What caches may keep of a page, and what goes over the wire.

a guest              ETag and `no-cache`: kept, and asked for again each time (304 when it is the same)
anyone signed in     `private, no-store`
an error             `no-store`
"""

from __future__ import annotations

import re
import zlib
from asyncio import to_thread
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Final

import brotli

from undercroft.http.request import Request

PRIVATE: Final = b"private, no-store"
FOR_ERRORS: Final = b"no-store"
REVALIDATED: Final = b"no-cache"
SMALLEST: Final = 1024  # bytes; below, a compressed text is hardly smaller
_SLOW: Final = 256 * 1024  # bytes; from there on they are compressed beside the event loop
_BROTLI_QUALITY: Final = 4  # about as fast as gzip, and smaller
_GZIP_LEVEL: Final = 5
_GZIP_WINDOW: Final = 31
_NO_WEIGHT: Final = re.compile(rb"q\s*=\s*0(\.0*)?")


def etag_of(body: bytes) -> bytes:
    """A weak tag of content: the same for all its encodings."""
    return b'W/"' + blake2b(body, digest_size=12).hexdigest().encode() + b'"'


def has_tag(request: Request, etag: bytes) -> bool:
    """Whether the client says that it has this content."""
    told = request.header(b"if-none-match")
    if told is None:
        return False
    opaque = etag.removeprefix(b"W/")
    return told.strip() == b"*" or any(tag.strip().removeprefix(b"W/") == opaque for tag in told.split(b","))


async def compress(request: Request, body: bytes) -> tuple[bytes, bytes]:
    """The body as the client takes it, and the name of its encoding; no name when it stays as it is."""
    if len(body) < SMALLEST:
        return body, b""
    encoding = accepted_encoding(request.header(b"accept-encoding") or b"")
    if not encoding:
        return body, b""
    pack = PACKERS[encoding]
    return (pack(body) if len(body) < _SLOW else await to_thread(pack, body)), encoding


def accepted_encoding(header: bytes) -> bytes:
    """The encoding that a client takes, Brotli before gzip; none without one that we know."""
    if not header:
        return b""
    wanted = dict(_read_weight(part) for part in header.lower().split(b","))
    for name in PACKERS:
        if wanted.get(name, wanted.get(b"*", False)):
            return name
    return b""


def _read_weight(part: bytes) -> tuple[bytes, bool]:
    """The name of an encoding, and whether it is wanted at all: `gzip;q=0` is not."""
    name, _, parameter = part.partition(b";")
    return name.strip(), _NO_WEIGHT.fullmatch(parameter.strip()) is None


def _brotli(body: bytes) -> bytes:
    packed: bytes = brotli.compress(body, quality=_BROTLI_QUALITY)
    return packed


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return packer.compress(body) + packer.flush()


PACKERS: Final[Mapping[bytes, Callable[[bytes], bytes]]] = {b"br": _brotli, b"gzip": _gzip}
