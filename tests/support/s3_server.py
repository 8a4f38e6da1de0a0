"""A real S3 server for the tests: SeaweedFS, started once for all processes of a test run and gone with the last of them."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from network import is_free

from undercroft.files.s3_bucket import Bucket, parse_bucket
from undercroft.files.s3_client import connect
from undercroft.files.s3_errors import FAULTS
from undercroft.ids import random_text

PROGRAM = Path(sys.executable).parent / "weed"
WATCH = Path(__file__).with_name("s3_watch.py")
BUCKET = "files"
ACCESS_KEY, SECRET = "tester", "s3cr3t-of-the-tests"
KEYS = {"UNDERCROFT_S3_ACCESS_KEY": ACCESS_KEY, "UNDERCROFT_S3_SECRET": SECRET}
PARTS = ("master", "volume", "filer", "s3", "admin")
ACTIONS = ["Admin", "Read", "Write", "List", "Tagging"]
SWITCHED_OFF = ("-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false")


@dataclass(frozen=True)
class S3Server:
    """A server and where it is."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, endpoint: str = "", **options: object) -> str:
        """The URL of a new place in the bucket, through a proxy if there is one."""
        more = "".join(f"&{name}={value}" for name, value in options.items())
        return f"s3://{BUCKET}/{random_text(12)}?endpoint={endpoint or self.endpoint}{more}"

    def bucket(self, endpoint: str = "", **options: object) -> Bucket:
        return parse_bucket(self.url(endpoint, **options), KEYS)


@contextmanager
def shared_s3(folder: Path) -> Iterator[S3Server]:
    """The server of all who name the same folder. The first starts it; when the last is gone, even killed, it ends."""
    with (folder / "s3.users").open("ab") as users:
        with _alone(folder):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not (folder / "s3.port").exists():
                (folder / "s3.port").write_text(str(_start(folder)))
            port = int((folder / "s3.port").read_text())
        yield S3Server(port)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "s3.lock").open("a+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(users: Path) -> int:
    """Start a server, and one who ends it; its port."""
    for _ in range(3):
        folder = Path(tempfile.mkdtemp(prefix="s3", dir="/tmp"))
        ports = dict(zip(PARTS, _free_ports(len(PARTS)), strict=True))
        pid = _launch(folder, _command(folder, ports))
        if _is_up(ports["s3"]):
            _launch(folder, [sys.executable, str(WATCH), str(users), str(pid), str(folder)])
            return ports["s3"]
        told = (folder / "log").read_text()[-2000:]
        os.kill(pid, signal.SIGKILL)
    raise RuntimeError(told)


def _launch(folder: Path, command: list[str]) -> int:
    """The id of a process that is nobody's child: whoever starts it may be gone before the others."""
    started = subprocess.run(
        ["sh", "-c", '"$@" >>log 2>&1 </dev/null & echo $!', "sh", *command],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        stdout=subprocess.PIPE,
        check=True,
        start_new_session=True,
    )
    return int(started.stdout)


def _command(folder: Path, ports: dict[str, int]) -> list[str]:
    keys = {"accessKey": ACCESS_KEY, "secretKey": SECRET}
    (folder / "keys.json").write_text(
        json.dumps({"identities": [{"name": "tester", "credentials": [keys], "actions": ACTIONS}]})
    )
    (folder / "data").mkdir()
    placed = [f"-{part}.port={port}" for part, port in ports.items()]
    where = [f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.config={folder}/keys.json"]
    return [str(PROGRAM), "mini", *where, *placed, *SWITCHED_OFF]


def _is_up(port: int) -> bool:
    """Whether it answers within twenty seconds."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200 and _takes_files(port):
                return True
        time.sleep(0.05)
    return False


def _takes_files(port: int) -> bool:
    """Whether a file can be put there, which makes the bucket."""
    try:
        connect(S3Server(port).bucket()).quick.put("first", b"")
    except FAULTS:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    """Ports that are free together with those 10,000 above, which the server takes too; nobody is given any of these."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(21_000, 22_700)
        if port not in found and is_free(port) and is_free(port + 10_000):
            found.append(port)
    return found
