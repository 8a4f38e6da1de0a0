"""Deleting from the folder: a file with its side file and thumbs, or all below a folder."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from undercroft.files.keys import THUMBS, split_key
from undercroft.files.local_facts import SUFFIX
from undercroft.files.local_folder import ABSENT, open_folder, temporary_name, told_faults


def delete_key(root: Path, key: str) -> None:
    """Delete a file and what was made from it, or everything below a key that ends in a slash.

    What is gone already is no error. Raises `BadKey` and `StoreUnavailable`.
    """
    *folders, name = split_key(key.removesuffix("/"))
    with told_faults(), suppress(*ABSENT):
        with open_folder(root, folders) as folder:
            if key.endswith("/"):
                _remove_tree(folder, name)
            else:
                _remove_file(folder, name)
            os.fsync(folder)
        _clear_away(root, folders)


def _remove_file(folder: int, name: str) -> None:
    for each in (name, name + SUFFIX, temporary_name(name), temporary_name(name + SUFFIX)):
        with suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(each, dir_fd=folder)
    _remove_tree(folder, THUMBS + name)


def _remove_tree(folder: int, name: str) -> None:
    with suppress(*ABSENT):
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=folder)


def _clear_away(root: Path, folders: Sequence[str]) -> None:
    """Remove folders that are empty now, the innermost first."""
    for depth in range(len(folders), 0, -1):
        with open_folder(root, folders[: depth - 1]) as outer:
            try:
                os.rmdir(folders[depth - 1], dir_fd=outer)
            except OSError:
                return  # it is not empty
