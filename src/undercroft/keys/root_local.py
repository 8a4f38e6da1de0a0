"""Root keys that lie in clear where the server can read them: in a file, or in the environment."""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path
from typing import Final

from undercroft.encryption.wrapping import RootKey
from undercroft.ids import random_text
from undercroft.keys.root import SHOWN, BadRoot, MadeRoot, Provider, RootMissing, StoredRoot, check_root
from undercroft.keys.root_texts import new_root_text, parse_roots, render_root

FILE_NAME: Final = "root.key"
PLAIN: Final = ("file", "environment")
_REMARK: Final = """# The root key of an Undercroft server, made with the check value {check}.
# Whoever has it and the database can read all that is encrypted; without it, nobody can.
# Keep a copy in another place than the database and its backups.
"""
_log = logging.getLogger("undercroft.keys")


class FileRoot:
    """A root key in a file, which is made when a new database needs one.

    `is_beside` says that it lies in the data directory, beside what it protects.
    """

    provider: Provider = "file"
    is_remote = False

    def __init__(self, path: Path, *, is_beside: bool = False) -> None:
        self._path = path
        self._is_beside = is_beside

    @property
    def source(self) -> str:
        """Where it is."""
        return f"in {self._path}"

    @property
    def warning(self) -> str:
        """What whoever runs the server must know of the file."""
        if not self._is_beside:
            return (
                f"The root key of this server is {self._path}. Without it all that is encrypted is lost: keep a copy."
            )
        return (
            f"The root key of this server is {self._path}. Without it all that is encrypted is lost, so keep a copy "
            "elsewhere; and whoever copies the folder has both. The key can also be elsewhere from the beginning: see "
            "--root-key-file, UNDERCROFT_ROOT_KEY, --root-passphrase-ask, --root-age-identity, --root-transit-url."
        )

    async def unlock(self, stored: StoredRoot) -> RootKey:
        """The root key in the file. Raises `WrongRoot`, `RootMissing` and `BadRoot`."""
        if stored.provider not in PLAIN or not self._path.exists():
            raise RootMissing(stored, self.source)
        return check_root(
            self, stored, *(RootKey(stored.version, material) for material in parse_roots(self._text(), self.source))
        )

    async def make(self, version: int, *, is_fresh: bool = False) -> MadeRoot:
        """The first root key in the file, or a new one that is put there before those it has. Raises `BadRoot`."""
        before = self._text() if self._path.exists() else None
        if before is not None and not is_fresh:
            return MadeRoot(RootKey(version, parse_roots(before, self.source)[0]))
        key = RootKey(version, parse_roots(new_root_text(), self.source)[0])
        alone = f"{_REMARK.format(check=key.check[:SHOWN])}{render_root(key.material)}\n"
        if not self._put(alone + (before or ""), is_new=before is None):
            return await self.make(version)  # another process was faster, and this one takes what it made
        _log.info("Made the root key %s, check value %s.", self._path, key.check[:SHOWN])
        return MadeRoot(key, settle=partial(self._put, alone), undo=partial(self._restore, before))

    def _text(self) -> str:
        try:
            return self._path.read_text(encoding="ascii", errors="replace")
        except OSError as error:
            raise BadRoot(f"The root key {self.source} cannot be read: {error.strerror}.") from error

    def _restore(self, before: str | None) -> None:
        if before is not None:
            self._put(before)
        else:
            self._path.unlink(missing_ok=True)

    def _put(self, text: str, *, is_new: bool = False) -> bool:
        """Put the file there whole, for its owner alone, and on disk before anything relies on it.

        False when it is to be new and is there already.
        """
        beside = self._path.with_name(f".{self._path.name}.{random_text(12)}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _write_durably(beside, text.encode())
            if is_new:
                os.link(beside, self._path)
            else:
                beside.replace(self._path)
            _sync_folder(self._path.parent)
        except FileExistsError:
            return False
        except OSError as error:
            raise BadRoot(f"The root key cannot be kept {self.source}: {error.strerror}.") from error
        finally:
            beside.unlink(missing_ok=True)
        return True


class EnvironmentRoot:
    """A root key in an environment variable."""

    provider: Provider = "environment"
    is_remote = False
    warning = ""
    source = "in UNDERCROFT_ROOT_KEY"

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "EnvironmentRoot()"

    async def unlock(self, stored: StoredRoot) -> RootKey:
        """The root key of the variable. Raises `WrongRoot`, `RootMissing` and `BadRoot`."""
        if stored.provider not in PLAIN:
            raise RootMissing(stored, self.source)
        materials = parse_roots(self._text, self.source)
        return check_root(self, stored, *(RootKey(stored.version, material) for material in materials))

    async def make(self, version: int, *, is_fresh: bool = False) -> MadeRoot:
        """The first root key of the variable. Raises `BadRoot`."""
        materials = parse_roots(self._text, self.source)
        if is_fresh and len(materials) == 1:
            raise BadRoot(
                "The variable UNDERCROFT_ROOT_KEY holds one root key: put the new one before it, with a comma."
            )
        return MadeRoot(RootKey(version, materials[0]))


def _write_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
