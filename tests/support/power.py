"""A disk that forgets what was not synced: a SQLite VFS for power cuts.

The files themselves are real, so SQLite runs as always. Beside them the disk keeps,
for every file, what was durable at its last sync and what was written since. A
*cut* makes of that the files as they may be found after the power came back: of every
sector written since the sync the old or any newer version, or a torn one; the file as
long as it was at any moment since; a file that was made since perhaps not there.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import apsw

SECTOR = 512
SHARED_MEMORY = "-shm"


@dataclass
class Platter:
    """What one file holds for certain, and what it may hold: writes and lengths since the last sync."""

    durable: bytearray
    is_durable: bool
    writes: list[tuple[int, bytes]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def write(self, offset: int, data: bytes) -> None:
        self.writes.append((offset, data))
        self.lengths.append(max(self.length, offset + len(data)))

    def truncate(self, length: int) -> None:
        # What lies beyond the new end is gone; it reads as zeros if the file grows again.
        self.writes.append((length, bytes(max(0, self.length - length))))
        self.lengths.append(length)

    @property
    def length(self) -> int:
        return self.lengths[-1] if self.lengths else len(self.durable)

    def sync(self) -> None:
        length = self.length
        for offset, data in self.writes:
            _put(self.durable, offset, data)
        self.durable = _resized(self.durable, length)
        self.is_durable = True
        self.writes.clear()
        self.lengths.clear()

    def after_cut(self, chance: Random) -> bytes | None:
        if not self.is_durable and chance.random() < 0.5:
            return None
        found = bytearray(self.durable)
        keep = chance.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        for offset, data in self.writes:
            for start, part in _sectors(offset, data):
                if chance.random() < keep:
                    _put(found, start, part[: chance.randint(1, len(part))] if chance.random() < 0.05 else part)
        return bytes(_resized(found, chance.choice([len(self.durable), *self.lengths])))


class Disk(apsw.VFS):
    """A disk whose power can be cut. `on_step` is called before and after everything it does."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.name = name
        self.lock = threading.RLock()
        self.platters: dict[str, Platter] = {}
        self.deleted: dict[str, Platter] = {}
        self.on_step = lambda: None

    def xOpen(self, name, flags):  # noqa: N802 - SQLite's name
        return DiskFile(self, name, flags)

    def xDelete(self, name, syncdir):  # noqa: N802 - likewise
        with self.lock:
            self.on_step()
            super().xDelete(name, syncdir)
            gone = self.platters.pop(Path(name).name, None)
            if gone is not None and not syncdir:
                self.deleted[Path(name).name] = gone
            self.on_step()

    def cut(self, chance: Random) -> dict[str, bytes]:
        """The files as they may be found after a power cut at this moment."""
        with self.lock:
            undead = {name: platter for name, platter in self.deleted.items() if chance.random() < 0.5}
            found = {name: platter.after_cut(chance) for name, platter in (undead | self.platters).items()}
        return {name: content for name, content in found.items() if content is not None}


class DiskFile(apsw.VFSFile):
    """A file on the disk; SQLite's shared memory is no file to it."""

    def __init__(self, disk: Disk, name, flags) -> None:
        self.disk = disk
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "")
        self.platter = self._platter(path) if name else Platter(bytearray(), is_durable=True)
        super().__init__("", name, flags)

    def _platter(self, path: Path) -> Platter:
        if path.name not in self.disk.platters:
            content = bytearray(path.read_bytes() if path.exists() else b"")
            self.disk.platters[path.name] = Platter(content, is_durable=path.exists())
        return self.disk.platters[path.name]

    def xWrite(self, data, offset):  # noqa: N802 - likewise
        with self.disk.lock:
            self.disk.on_step()
            super().xWrite(data, offset)
            self.platter.write(offset, bytes(data))

    def xTruncate(self, size):  # noqa: N802 - likewise
        with self.disk.lock:
            self.disk.on_step()
            super().xTruncate(size)
            self.platter.truncate(size)

    def xSync(self, flags):  # noqa: N802 - likewise
        with self.disk.lock:
            self.disk.on_step()
            super().xSync(flags)
            if not self.platter.is_durable:
                # SQLite syncs the directory with the first sync of a new log, and so its deletions too.
                self.disk.deleted.clear()
            self.platter.sync()
            self.disk.on_step()


def _sectors(offset: int, data: bytes):
    start = 0
    while start < len(data):
        end = min(len(data), start + SECTOR - (offset + start) % SECTOR)
        yield offset + start, data[start:end]
        start = end


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _resized(content: bytearray, length: int) -> bytearray:
    return content[:length] + bytes(max(0, length - len(content)))
