"""Root keys that lie in clear where the server can read them: in a file, or in the environment."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from undercroft.encryption.wrapping import RootKey
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
        return check_root(self, stored, *(RootKey(stored.version, material) for material in self._read()))

    async def make(self, version: int, *, is_fresh: bool = False) -> MadeRoot:
        """The first root key in the file, or a new one that is put there before those it has. Raises `BadRoot`."""
        if self._path.exists() and not is_fresh:
            return MadeRoot(RootKey(version, self._read()[0]))
        old = self._read() if self._path.exists() else []
        key = RootKey(version, parse_roots(new_root_text(), self.source)[0])
        self._write([key.material, *old], key.check, is_new=not old)
        _log.info("Made the root key %s, check value %s.", self._path, key.check[:SHOWN])
        settle, undo = partial(self._write, [key.material], key.check), partial(self._restore, old)
        return MadeRoot(key, settle=settle, undo=undo)

    def _read(self) -> list[bytes]:
        try:
            text = self._path.read_text(encoding="ascii", errors="replace")
        except OSError as error:
            raise BadRoot(f"The root key {self.source} cannot be read: {error.strerror}.") from error
        return parse_roots(text, self.source)

    def _restore(self, old: list[bytes]) -> None:
        if old:
            self._write(old, "")
        else:
            self._path.unlink(missing_ok=True)

    def _write(self, materials: list[bytes], check: str, *, is_new: bool = False) -> None:
        """Put the file there whole, for its owner alone, and on disk before anything relies on it."""
        remark = _REMARK.format(check=check[:SHOWN]) if check else ""
        text = remark + "".join(f"{render_root(material)}\n" for material in materials)
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _write_durably(beside, text.encode())
            if is_new:
                os.link(beside, self._path)  # refuses where somebody else was faster
                beside.unlink()
            else:
                beside.replace(self._path)
            _sync_folder(self._path.parent)
        except OSError as error:
            raise BadRoot(f"The root key cannot be kept {self.source}: {error.strerror}.") from error
        finally:
            with suppress(OSError):
                beside.unlink()


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
