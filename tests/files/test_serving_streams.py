"""Long downloads on a real server: readers that stop, readers that go, files that end too early."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import httpx
import psutil
import pytest
from network import free_port
from program import connect, run, serving, talk

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only("about downloads")]

GIB = 1 << 30
SHELF = {"id": "shelf0000000000", "name": "shelf", "createRule": "", "fields": [{"name": "open", "type": "file"}]}
RANGE = f"Range: bytes=1-{GIB - 1}\r\n"


@pytest.fixture
def site(tmp_path):
    """A server with a file of one GiB."""
    run("superuser", "upsert", "root@example.com", "correct-horse-9", "--dir", "data", folder=tmp_path)
    port = free_port()
    with serving(port, "--dir", "data", folder=tmp_path) as process:
        site = Site(port, tmp_path / "data", process)
        site.fill()
        yield site


class Site:
    """A server and its one file."""

    def __init__(self, port, data, process):
        self.port, self.data, self.process = port, data, psutil.Process(process.pid)
        self.output = process.stdout
        self.url = f"http://127.0.0.1:{port}"
        self.path, self.file = "", Path()

    def fill(self):
        """Upload a byte, and make a GiB of it: what is read back is zeros."""
        identity = {"identity": "root@example.com", "password": "correct-horse-9"}
        token = httpx.post(f"{self.url}/api/collections/_superusers/auth-with-password", json=identity).json()["token"]
        httpx.post(f"{self.url}/api/collections", json=SHELF, headers={"authorization": token}).raise_for_status()
        files = {"open": ("large.bin", b"\0")}
        record = httpx.post(f"{self.url}/api/collections/shelf/records", files=files).json()
        self.path = f"/api/files/shelf/{record['id']}/{record['open']}"
        self.file = self.data / "storage" / SHELF["id"] / record["id"] / record["open"]
        os.truncate(self.file, GIB)

    def ask(self, headers=""):
        """A connection on which the file was asked for."""
        connection = connect(self.port)
        connection.sendall(f"GET {self.path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
        return connection

    def is_open(self):
        """Whether the server has the file open."""
        opened = Path(f"/proc/{self.process.pid}/fd")
        with contextlib.suppress(FileNotFoundError):  # one that is closed while we look
            return any(each.readlink() == self.file for each in opened.iterdir())
        return True


def wait_until(holds):
    """Return once something holds; raises `AssertionError` after a while."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError(holds)


def read_exactly(connection, count):
    """That many bytes, or as many as come."""
    found = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while len(found) < count and (piece := connection.recv(min(1 << 20, count - len(found)))):
            found += piece
    return bytes(found)


@pytest.mark.parametrize("headers", ["", RANGE], ids=["whole", "range"])
def test_readers_that_stop(site, headers):
    """Forty readers that take nothing hold forty times a little, and nobody else up."""
    before = site.process.memory_info().rss
    readers = [site.ask(headers) for _ in range(40)]
    for reader in readers:
        assert read_exactly(reader, 1000).startswith(b"HTTP/1.1 20")
    wait_until(lambda: site.process.cpu_percent(0.2) < 5)

    assert talk(site.port, b"GET /api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(
        b"HTTP/1.1 200"
    )
    assert site.process.memory_info().rss - before < 40 * 4 << 20
    for reader in readers:
        reader.close()


@pytest.mark.parametrize("headers", ["", RANGE], ids=["whole", "range"])
def test_readers_that_go(site, headers):
    """When a reader goes, the server stops reading the file."""
    with site.ask(headers) as reader:
        read_exactly(reader, 1 << 20)
        assert site.is_open()

    wait_until(lambda: not site.is_open())
    assert site.process.io_counters().read_chars < 200 << 20


@pytest.mark.parametrize("headers", ["", RANGE], ids=["whole", "range"])
def test_file_that_ends_early(site, headers):
    """A file that is cut short while it is sent breaks the connection: nothing is made up for what is missing."""
    with site.ask(headers) as reader:
        reader.settimeout(15)
        start = read_exactly(reader, 1 << 20)
        os.truncate(site.file, 64 << 20)
        rest = read_exactly(reader, GIB)

    assert f"content-length: {GIB - bool(headers)}".encode() in start
    assert len(start) + len(rest) < 128 << 20
    assert not rest.strip(b"\0")


def test_cut_is_logged(site):
    """The operator is told of a file that could not be sent to its end."""
    with site.ask(RANGE) as reader:
        read_exactly(reader, 1 << 20)
        os.truncate(site.file, 64 << 20)
        read_exactly(reader, GIB)
    site.process.terminate()
    site.process.wait(20)

    told = [line for line in site.output if "could not be sent" in line]
    assert len(told) == 1
    assert f"{SHELF['id']}/" in told[0]


@pytest.mark.parametrize("headers", ["", RANGE], ids=["whole", "range"])
def test_file_that_is_deleted(site, headers):
    """A file that is deleted while it is sent is sent to its end."""
    with site.ask(headers) as reader:
        start = read_exactly(reader, 1 << 20)
        site.file.unlink()
        head = start.index(b"\r\n\r\n") + 4
        rest = read_exactly(reader, GIB - bool(headers) - len(start) + head)

    assert len(start) - head + len(rest) == GIB - bool(headers)
