"""Putting one file into the folder: whole and durable, or not there at all."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from undercroft.files.local_facts import SUFFIX, dump_facts
from undercroft.files.local_folder import make_folders, open_folder, temporary_name, told_faults, write_file
from undercroft.files.store import Facts, StoreUnavailable

_TRIES: Final = 5
_PIECE: Final = 1024 * 1024


class WrongCopy(StoreUnavailable):
    """What arrived in the store is not what was sent there."""

    code = "wrong_copy"
    default = "The file storage kept something else than it was given."


@dataclass(frozen=True, slots=True)
class Put:
    """One file on its way to its place; with `is_linked` the source is of the same file system, and never changes."""

    root: Path
    parts: list[str]
    source: Path
    facts: Facts
    is_linked: bool

    def run(self) -> None:
        """Put the file there. Raises `StorageFull` and `StoreUnavailable`."""
        with told_faults():
            # An empty folder may be cleared away between making and opening it.
            for _ in range(_TRIES):
                with suppress(FileNotFoundError):
                    self._put()
                    return
            self._put()

    def _put(self) -> None:
        *folders, name = self.parts
        make_folders(self.root, folders)
        with open_folder(self.root, folders) as folder:
            # First what is known of it: where the file is, that is too.
            write_file(folder, name + SUFFIX, dump_facts(self.facts))
            if not (self.is_linked and self._link(folder, name)):
                self._copy(folder, name)
            os.fsync(folder)

    def _link(self, folder: int, name: str) -> bool:
        """Give the source a second name; whether the file system knows such."""
        with self.source.open("rb") as source:
            os.fsync(source.fileno())
        try:
            os.link(self.source, name, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            os.unlink(name, dir_fd=folder)
            os.link(self.source, name, dst_dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            raise
        except OSError:
            return False
        return True

    def _copy(self, folder: int, name: str) -> None:
        temporary = temporary_name(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(temporary, flags, 0o644, dir_fd=folder), "wb") as target:
                self._pour(target.fileno())
                os.fsync(target.fileno())
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise

    def _pour(self, target: int) -> None:
        """Copy all bytes. Raises `WrongCopy` when they are not those whose MD5 was told."""
        digest = hashlib.md5(usedforsecurity=False)
        with self.source.open("rb", buffering=0) as source:
            while piece := source.read(_PIECE):
                digest.update(piece)
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(target, rest) :]
        if digest.hexdigest() != self.facts.md5:
            raise WrongCopy
