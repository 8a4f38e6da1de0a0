"""Keys of the versions of a file: under which key of a store its bytes are.

A file that is stored as it is has its bytes under its own key. Where it is stored encrypted, they are under
`KEY~VERSION`, with a version that nobody can guess; and a thumb of it lies in the folder that goes with that,
`thumbs_NAME~VERSION`. So also a file that is encrypted or decrypted later is never written over: for a while both
versions are there, and whoever began to read one reads that to its end. The table `_sealed_files` says which one
counts.

`KEY~` means the plain bytes alone, where `KEY` would mean the file and all there is of it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from undercroft.files.keys import THUMBS

MARK: Final = "~"
PLAIN: Final = ""


class Version(NamedTuple):
    """A file, and which of its versions: None for the file itself, all versions included."""

    file: str
    version: str | None

    @property
    def stored_key(self) -> str:
        """The key under which the store has the bytes."""
        return f"{self.file}{MARK}{self.version}" if self.version else self.file

    @property
    def exact_key(self) -> str:
        """What names this version and no other."""
        return f"{self.file}{MARK}{self.version or PLAIN}"


def split_version(key: str) -> Version:
    """The file and the version that a key names."""
    file, mark, version = key.rpartition(MARK)
    return Version(file, version) if mark and "/" not in version else Version(key, None)


def owner_of(key: str) -> str | None:
    """The key of the file that a key is, or was made from; None when it is no place for files of records."""
    parts = key.split("/")
    if len(parts) == 3:
        return key
    if len(parts) == 4 and parts[2].startswith(THUMBS):
        return "/".join((*parts[:2], parts[2].removeprefix(THUMBS)))
    return None


def version_of_thumb(key: str, version: str) -> str:
    """The key under which the store has a thumb of a version of an image."""
    folder, name = key.rsplit("/", 1)
    return f"{folder}{MARK}{version}/{name}{MARK}{version}"
