"""One server a data directory.

The lock is the kernel's (`flock`), so it ends with the process however that
ends. The server's first process takes it; its workers share the directory under it.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import apsw

from undercroft.database.refusals import (
    ALLOW_NETWORK,
    DirectoryInUse,
    DirectoryReadOnly,
    NetworkFileSystem,
    SqliteTooOld,
)

LOCK_NAME = "server.lock"
SQLITE_NEEDED = (3, 46, 0)
MOUNTS = Path("/proc/self/mountinfo")
_LAN_KINDS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "beegfs", "gfs2", "ocfs2"}
_FUSE_KINDS = {"fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.glusterfs", "fuse.davfs"}


@dataclass(frozen=True, slots=True)
class DataLock:
    """A held data directory."""

    directory: Path
    descriptor: int

    def release(self) -> None:
        """Let another server have the directory."""
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_directory(directory: Path, environment: Mapping[str, str], mounts: Path = MOUNTS) -> DataLock:
    """Make the directory if need be and hold it. Raises `StartRefused` with the reason."""
    check_sqlite(apsw.sqlite_lib_version())
    descriptor = _open_lock(directory)
    try:
        if environment.get(ALLOW_NETWORK, "") in ("", "0"):
            check_file_system(directory, mounts)
        _hold(descriptor, directory)
    except BaseException:
        os.close(descriptor)
        raise
    return DataLock(directory, descriptor)


def check_sqlite(version: str) -> None:
    """Refuse a SQLite that lacks what the statements rely on."""
    if tuple(int(part) for part in version.split(".")) < SQLITE_NEEDED:
        raise SqliteTooOld(version, ".".join(str(part) for part in SQLITE_NEEDED))


def check_file_system(directory: Path, mounts: Path = MOUNTS) -> None:
    """Refuse a directory on a network file system, where that can be known."""
    kind = find_file_system(directory, mounts)
    if kind in _LAN_KINDS | _FUSE_KINDS:
        raise NetworkFileSystem(directory, kind)


def find_file_system(directory: Path, mounts: Path = MOUNTS) -> str:
    """The kind of file system a directory lies on, as Linux names it; `""` where there is no list of mounts."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    place = directory.resolve()
    found = [mount for mount in map(_parse_mount, lines) if place.is_relative_to(mount[0])]
    # Of two mounts on one point the later hides the earlier.
    return max(reversed(found), key=lambda mount: len(mount[0].parts))[1] if found else ""


def _parse_mount(line: str) -> tuple[Path, str]:
    # proc_pid_mountinfo(5): the mount point is field 5, the type follows the lone dash.
    before, _, after = line.partition(" - ")
    point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), before.split(" ")[4])
    return Path(point), after.split(" ")[0]


def _open_lock(directory: Path) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DirectoryReadOnly(directory, error.strerror or "unknown reason") from error


def _hold(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DirectoryInUse(directory, os.pread(descriptor, 20, 0).decode().strip()) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
