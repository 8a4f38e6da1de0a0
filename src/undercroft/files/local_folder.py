"""Folders by their descriptors: each opened relative to the one above it, and no link followed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from undercroft.errors import Problem, StorageFull
from undercroft.files.store import StoreUnavailable

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Not blocking: somebody may have put a pipe there.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_FOLDER: Final = (errno.ELOOP, errno.ENAMETOOLONG)
_NO_FILE: Final = (*_NO_FOLDER, errno.ENXIO)
ABSENT: Final = (FileNotFoundError, NotADirectoryError)
"""What the system says of a file that is not there, or has a file or a link where a folder should be."""


@contextmanager
def told_faults() -> Iterator[None]:
    """What the disk refuses, as problems: `StorageFull` and `StoreUnavailable`. What is `ABSENT` stays that."""
    try:
        yield
    except ABSENT:
        raise
    except OSError as error:
        raise problem_of(error) from error


def problem_of(error: OSError) -> Problem:
    """What an error of the disk is to the caller."""
    if error.errno in _FULL:
        return StorageFull()
    return StoreUnavailable(f"The file storage refuses: {error.strerror or type(error).__name__}.")


@contextmanager
def open_folder(root: Path, parts: Sequence[str]) -> Iterator[int]:
    """The descriptor of a folder below the root. Raises one of `ABSENT`."""
    folder = os.open(root, _FOLDER)
    try:
        for part in parts:
            inner = _open_inner(part, folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _open_inner(part: str, folder: int) -> int:
    try:
        return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_FOLDER:
            raise FileNotFoundError from error
        raise


def make_folders(root: Path, parts: Sequence[str]) -> None:
    """Make the folders on the way that are not there yet; they are durable when this returns."""
    root.mkdir(parents=True, exist_ok=True)
    for depth, part in enumerate(parts):
        with open_folder(root, parts[:depth]) as folder, suppress(FileExistsError):
            os.mkdir(part, dir_fd=folder)
            os.fsync(folder)


def open_file(folder: int, name: str) -> int:
    """The descriptor of a plain file, to read. Raises `FileNotFoundError` for everything else."""
    try:
        opened = os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_FILE:
            raise FileNotFoundError from error
        raise
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise FileNotFoundError
    return opened


def temporary_name(name: str) -> str:
    """What a file is called while it is written; who kills the writer leaves it behind."""
    return f".{name}.tmp"


def write_file(folder: int, name: str, content: bytes) -> None:
    """Put a small file in place, whole and durable but for its folder's entry."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    temporary = temporary_name(name)
    written = os.open(temporary, flags, 0o644, dir_fd=folder)
    try:
        with os.fdopen(written, "wb") as target:
            target.write(content)
            target.flush()
            os.fsync(written)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise
