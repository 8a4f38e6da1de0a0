"""Small versions of images, made when first asked for and kept beside the original."""

from __future__ import annotations

from undercroft.errors import Unavailable
from undercroft.files.store import FileStore, StoredFile
from undercroft.files.thumb_size import Size


class ThumbsBusy(Unavailable):
    """More thumbs are waiting to be made than the queue holds."""

    code = "thumbs_busy"
    default = "Too many thumbs are being made. Try again in a moment."


class Thumbs:
    """Makes thumbs in a few limited processes, which start when needed and end when idle."""

    async def find_or_make(self, store: FileStore, original: StoredFile, size: Size) -> StoredFile | None:
        """The thumb of an image in a size; None when it has none, and the original is to be served.

        The size is one that `thumb_size.allowed_size` gave. Raises `ThumbsBusy`,
        `StoreUnavailable`, and `NoSuchFile` when the original is gone by now.
        """
        return await store.find(thumb_key(original.key, size))

    async def close(self) -> None:
        """End the processes."""


def thumb_key(key: str, size: Size) -> str:
    """Where a thumb of the file under a key lies."""
    folder, _, name = key.rpartition("/")
    return f"{folder}/thumbs_{name}/{size.text}_{name}"
