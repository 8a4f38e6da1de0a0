"""Keys of files: `COLLECTION_ID/RECORD_ID/NAME`, made of parts that are safe as names of folders."""

from __future__ import annotations

from typing import Final

from undercroft.errors import BadRequest

THUMBS: Final = "thumbs_"
"""What the name of the folder begins with where thumbs of a file are, next to it."""
_LONGEST: Final = 240  # bytes; a file system's 255 less what a store appends


class BadKey(BadRequest):
    """A file cannot be kept under a key like this."""

    code = "bad_file_key"

    def __init__(self, key: str) -> None:
        super().__init__(f"No file can be kept as {key[:300]!r}.")


def file_key(collection_id: str, record_id: str, name: str) -> str:
    """The key of a record's file. Raises `BadKey`."""
    key = f"{collection_id}/{record_id}/{name}"
    split_key(key)
    return key


def split_key(key: str) -> list[str]:
    """The parts of a key, of which each is a safe name for a folder or file. Raises `BadKey`."""
    if not is_key(key):
        raise BadKey(key)
    return key.split("/")


def is_key(text: str) -> bool:
    """Whether a file can be kept under a text, or files below it."""
    return all(is_safe_part(part) for part in text.split("/"))


def is_safe_part(part: str) -> bool:
    """Whether text may stand between the slashes of a key: no dot in front, no NUL, neither slash, not too long."""
    if part[:1] in ("", ".") or any(mark in part for mark in "\0/\\"):
        return False
    try:
        return len(part.encode()) <= _LONGEST
    except UnicodeEncodeError:
        return False
