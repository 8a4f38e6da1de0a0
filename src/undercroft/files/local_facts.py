"""The side file of a file, `NAME.attrs`: its media type, checksum and first name, as PocketBase keeps them."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import Any, Final

import msgspec

from undercroft.files.local_folder import open_file
from undercroft.files.sniff import HEAD, media_type
from undercroft.files.store import Facts

SUFFIX: Final = ".attrs"
_LONGEST: Final = 64 * 1024
_NO_MD5: Final = ""


class _Attrs(msgspec.Struct):
    """A side file, as it is written."""

    cache_control: str = msgspec.field(default="", name="user.cache_control")
    content_disposition: str = msgspec.field(default="", name="user.content_disposition")
    content_encoding: str = msgspec.field(default="", name="user.content_encoding")
    content_language: str = msgspec.field(default="", name="user.content_language")
    content_type: str = msgspec.field(default="", name="user.content_type")
    metadata: dict[str, Any] | None = msgspec.field(default=None, name="user.metadata")
    md5: str | None = None


def dump_facts(facts: Facts) -> bytes:
    """The content of a side file."""
    md5 = b64encode(bytes.fromhex(facts.md5)).decode()
    attrs = _Attrs(content_type=facts.type, metadata={"original-filename": facts.original_name}, md5=md5)
    return msgspec.json.encode(attrs)


def load_facts(folder: int, name: str, opened: int) -> Facts:
    """What is known of an open file: by its side file, else by its content; `md5` is empty when unknown."""
    attrs = _read(folder, name + SUFFIX)
    if attrs is None:
        return Facts(media_type(os.pread(opened, HEAD, 0)), _NO_MD5, name)
    original = (attrs.metadata or {}).get("original-filename")
    found = attrs.content_type or media_type(os.pread(opened, HEAD, 0))
    return Facts(found, _md5(attrs), original if isinstance(original, str) and original else name)


def _read(folder: int, name: str) -> _Attrs | None:
    try:
        opened = open_file(folder, name)
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(os.pread(opened, _LONGEST, 0), type=_Attrs)
    except msgspec.DecodeError:
        return None
    finally:
        os.close(opened)


def _md5(attrs: _Attrs) -> str:
    with suppress(ValueError):
        digest = b64decode(attrs.md5 or "", validate=True)
        return digest.hex() if len(digest) == 16 else _NO_MD5
    return _NO_MD5
