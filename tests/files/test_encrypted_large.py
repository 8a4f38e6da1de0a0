"""Encrypted files larger than memory, through the real server: sealed and opened as they pass."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from pathlib import Path
from typing import Self

import httpx
import pytest
from network import free_port
from program import run, serving

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only("about bytes on their way, whatever holds the records")]

ROOT, PASSWORD = "root@example.com", "correct-horse-9"
MIB = 1024 * 1024
SIZE = int(os.environ.get("DRILL_LARGE_MIB", "96"))
"""How large the file is; 1024 in the long run of the tests."""
MOST = 32 * MIB


class Memory:
    """The most that a process has in memory while a block lasts, looked at a hundred times a second."""

    def __init__(self, pid: int) -> None:
        self._path = Path(f"/proc/{pid}/status")
        self.before = self.most = self.now()
        self._is_over = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    @property
    def grown(self) -> int:
        return self.most - self.before

    def now(self) -> int:
        line = next(line for line in self._path.read_text().splitlines() if line.startswith("VmRSS"))
        return 1024 * int(line.split()[1])

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._is_over.wait(0.01):
            self.most = max(self.most, self.now())


class Content:
    """Random bytes that come a MiB at a time, and their sum so far."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.digest = hashlib.sha256()
        self._chance = random.Random(seed)

    def take(self) -> bytes:
        """The next of them; none at the end."""
        piece = self._chance.randbytes(min(MIB, self.size))
        self.size -= len(piece)
        self.digest.update(piece)
        return piece


class Form:
    """A form with one file, sent as it is made."""

    def __init__(self, content: Content) -> None:
        self.head = b'--b\r\nContent-Disposition: form-data; name="f"; filename="big.bin"\r\n\r\n'
        self.tail = b"\r\n--b--\r\n"
        self.content = content
        self.headers = {
            "content-type": "multipart/form-data; boundary=b",
            "content-length": str(len(self.head) + content.size + len(self.tail)),
        }

    def __iter__(self):
        yield self.head
        while self.content.size:
            yield self.content.take()
        yield self.tail


@pytest.fixture
def server(tmp_path):
    """A server with a collection of encrypted files: its address, its process, its folder."""
    port = free_port()
    assert run("superuser", "upsert", ROOT, PASSWORD, folder=tmp_path).returncode == 0
    with serving(port, folder=tmp_path) as process:
        url = f"http://127.0.0.1:{port}"
        form = {"identity": ROOT, "password": PASSWORD}
        token = httpx.post(f"{url}/api/collections/_superusers/auth-with-password", json=form).json()["token"]
        field = {"name": "f", "type": "file", "maxSize": 3 * 1024 * MIB, "encrypted": True}
        body = {"name": "large", "type": "base", "createRule": "", "viewRule": "", "fields": [field]}
        made = httpx.post(f"{url}/api/collections", json=body, headers={"Authorization": token})
        assert made.status_code == 200, made.text
        yield url, process, tmp_path


def test_a_large_file_takes_no_memory(server, seed):
    """E18: a file is encrypted as it comes and decrypted as it goes, in memory of a few segments."""
    url, process, folder = server
    transfer(url, process, MIB, seed)  # what is loaded when it is first needed is loaded

    figures = transfer(url, process, SIZE * MIB, seed + 1)

    for name, (seconds, grown) in figures.items():
        print(f"{name} of {SIZE} MiB: {SIZE * MIB / seconds / 1e6:,.0f} MB/s, {grown / MIB:.1f} MiB more memory")  # noqa: T201 - pytest shows it with -s
    assert max(grown for _, grown in figures.values()) < MOST
    (stored,) = [path for path in (folder / "data" / "storage").rglob("big_*") if path.stat().st_size > SIZE * MIB]
    assert stored.stat().st_size > SIZE * MIB + 40


def transfer(url, process, size, seed):
    """Send a file and fetch it: seconds, and how much more memory the server had, by what was done."""
    content, digest, figures = Content(size, seed), hashlib.sha256(), {}
    form = Form(content)
    with Memory(process.pid) as memory:
        began = time.perf_counter()
        answer = httpx.post(
            f"{url}/api/collections/large/records", content=iter(form), headers=form.headers, timeout=600
        )
        figures["upload"] = (time.perf_counter() - began, 0)
    assert answer.status_code == 200, answer.text
    figures["upload"] = (figures["upload"][0], memory.grown)
    record = answer.json()
    with Memory(process.pid) as memory:
        began = time.perf_counter()
        with httpx.stream("GET", f"{url}/api/files/large/{record['id']}/{record['f']}", timeout=600) as response:
            for piece in response.iter_raw(MIB):
                digest.update(piece)
        seconds = time.perf_counter() - began
    figures["download"] = (seconds, memory.grown)
    assert digest.digest() == content.digest.digest()
    return figures
