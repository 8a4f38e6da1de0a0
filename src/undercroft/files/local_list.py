"""Listing the folder, file by file, without ever holding all names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from undercroft.files.local_facts import SUFFIX
from undercroft.files.local_folder import ABSENT, open_folder
from undercroft.files.store import ListedFile


def walk(root: Path, prefix: str) -> Iterator[ListedFile]:
    """All files whose keys begin with a prefix; what begins with a dot is nobody's file."""
    return _walk(root, [], prefix)


def _walk(root: Path, folders: list[str], prefix: str) -> Iterator[ListedFile]:
    files: list[ListedFile] = []
    inner: list[str] = []
    with suppress(*ABSENT), open_folder(root, folders) as folder, os.scandir(folder) as entries:
        found = [entry for entry in entries if not entry.name.startswith(".")]
        names = {entry.name for entry in found}
        for entry in found:
            key = "/".join((*folders, entry.name))
            if entry.is_dir(follow_symlinks=False):
                inner += [entry.name] if f"{key}/".startswith(prefix) or prefix.startswith(f"{key}/") else []
            elif entry.is_file(follow_symlinks=False) and key.startswith(prefix) and not _is_side(entry.name, names):
                files.append(_listed(key, entry))
    yield from files
    for name in sorted(inner):
        yield from _walk(root, [*folders, name], prefix)


def _is_side(name: str, names: set[str]) -> bool:
    """Whether a file tells of another; one that has lost it is listed, so that somebody clears it away."""
    return name.endswith(SUFFIX) and name.removesuffix(SUFFIX) in names


def _listed(key: str, entry: os.DirEntry[str]) -> ListedFile:
    known = entry.stat(follow_symlinks=False)
    return ListedFile(key, known.st_size, datetime.fromtimestamp(known.st_mtime, UTC))
