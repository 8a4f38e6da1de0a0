"""Files larger than memory, and bodies that nobody wants, through the real server."""

from __future__ import annotations

import hashlib
import random
import socket
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from network import free_port
from program import connect, run, serving

pytestmark = pytest.mark.sqlite_only("what is read before any database is asked")

ROOT, PASSWORD = "root@example.com", "correct-horse-9"
MIB = 1024 * 1024
HEAD = b'--b\r\nContent-Disposition: form-data; name="f"; filename="big.bin"\r\n\r\n'
TAIL = b"\r\n--b--\r\n"


class Site:
    """A running server with a collection for large files, and one that only superusers may write to."""

    def __init__(self, folder: Path, port: int, process) -> None:
        self.folder, self.port, self.process = folder, port, process
        self.url = f"http://127.0.0.1:{port}"
        form = {"identity": ROOT, "password": PASSWORD}
        token = httpx.post(f"{self.url}/api/collections/_superusers/auth-with-password", json=form).json()["token"]
        for name, rule in (("open", ""), ("closed", None)):
            field = {"name": "f", "type": "file", "maxSize": 3 * 1024 * MIB}
            body = {"name": name, "type": "base", "createRule": rule, "viewRule": "", "fields": [field]}
            made = httpx.post(f"{self.url}/api/collections", json=body, headers={"Authorization": token})
            assert made.status_code == 200

    @property
    def memory(self) -> int:
        """Bytes that the server has in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return 1024 * int(next(line for line in status if line.startswith("VmRSS")).split()[1])

    def files(self) -> list[Path]:
        """All files that were stored or wait."""
        return [path for path in (self.folder / "data" / "storage").rglob("*") if path.is_file()]


@pytest.fixture
def site(tmp_path):
    port = free_port()
    assert run("superuser", "upsert", ROOT, PASSWORD, folder=tmp_path).returncode == 0
    with serving(port, folder=tmp_path) as process:
        yield Site(tmp_path, port, process)


@contextmanager
def begun(site: Site, collection: str, length: int):
    """A connection on which a form of some length was begun."""
    with connect(site.port) as connection:
        connection.sendall(
            f"POST /api/collections/{collection}/records HTTP/1.1\r\nHost: x\r\n"
            f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        connection.sendall(HEAD)
        yield connection


def read_answer(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer


@pytest.mark.slow
def test_a_large_file_takes_no_memory(site):
    """A file of 300 MiB is stored whole while the server grows by less than a tenth of it."""
    chance, digest = random.Random(1), hashlib.sha256()
    before = site.memory
    with begun(site, "open", len(HEAD) + 300 * MIB + len(TAIL)) as connection:
        for _ in range(300):
            piece = chance.randbytes(MIB)
            digest.update(piece)
            connection.sendall(piece)
        grown = site.memory - before
        connection.sendall(TAIL)
        connection.settimeout(60)
        answer = connection.recv(65536)

    (stored,) = [path for path in site.files() if path.suffix == ".bin"]
    assert answer.startswith(b"HTTP/1.1 200")
    assert hashlib.sha256(stored.read_bytes()).digest() == digest.digest()
    assert max(grown, site.memory - before) < 30 * MIB


def test_a_body_that_is_refused_is_not_read(site):
    """Who may not write is told so before the file is sent, and the connection ends."""
    with begun(site, "closed", 2 * 1024 * MIB) as connection:
        answer = read_answer(connection)

    assert answer.startswith(b"HTTP/1.1 403")
    assert b"\r\nconnection: close\r\n" in answer.lower()


def test_a_body_that_is_too_large_is_not_read(site):
    """Of a body that says it is larger than all its files may be nothing is read."""
    with begun(site, "open", 3 * 1024 * MIB + 33 * MIB) as connection:
        answer = read_answer(connection)

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"\r\nconnection: close\r\n" in answer.lower()


def test_a_connection_lives_on_after_a_body_that_was_read(site):
    """A form that was read to its end and refused does not cost its connection."""
    request = (
        b"POST /api/collections/closed/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )
    with connect(site.port) as connection:
        for _ in range(2):
            connection.sendall(request)
            assert connection.recv(65536).startswith(b"HTTP/1.1 403")


def test_an_upload_that_breaks_off_leaves_nothing(site):
    """Who hangs up in the middle of a file leaves neither a record nor a part of the file."""
    with begun(site, "open", 100 * MIB) as connection:
        connection.sendall(bytes(3 * MIB))
    answer = httpx.get(f"{site.url}/api/health")

    assert answer.status_code == 200
    assert site_becomes_empty(site)


def site_becomes_empty(site: Site) -> bool:
    """Whether all is gone, once the server has seen that its client is."""
    for _ in range(100):
        if not site.files():
            return True
        time.sleep(0.05)
    return False
