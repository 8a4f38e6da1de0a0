"""Real server processes for tests: Undercroft itself, and the peer it is compatible with."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from network import free_port

ROOT = "root@example.com"
PASSWORD = "correct-horse-9"
PROGRAMS = Path(sys.executable).parent


@dataclass
class Server:
    """A running server, its process and who is signed in to it, by name; `guest` is nobody."""

    url: str
    tokens: dict[str, str] = field(default_factory=lambda: {"guest": ""})
    pid: int = 0

    def call(self, method: str, path: str, body: Any = None, caller: str = "root", **options: Any) -> httpx.Response:
        """One request as a caller; a body that is not text is sent as JSON."""
        headers = {"Authorization": self.tokens[caller]} if self.tokens[caller] else {}
        headers |= options.pop("headers", {})
        if body is not None and "content" not in options:
            options["content"] = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        return httpx.request(method, self.url + path, headers=headers, timeout=30, **options)

    def sign_in(self, caller: str, collection: str, email: str, password: str = PASSWORD) -> None:
        """Make a caller known by that name."""
        path = f"/api/collections/{collection}/auth-with-password"
        answer = self.call("POST", path, {"identity": email, "password": password}, "guest")
        self.tokens[caller] = answer.json()["token"]


@contextlib.contextmanager
def running(program: str, folder: Path, database: str = "", *flags: str) -> Iterator[Server]:
    """A server on an empty folder with one superuser signed in as `root`; stopped at the end."""
    place, port = ["--dir", str(folder / "data"), *(["--database", database] if database else [])], free_port()
    command = str(PROGRAMS / program)
    made = [command, "superuser", "upsert", ROOT, PASSWORD, *place]
    subprocess.run(made, check=True, capture_output=True, cwd=folder, timeout=60)
    with (folder / "server.log").open("wb") as log:
        served = [command, "serve", "--http", f"127.0.0.1:{port}", *place, *flags]
        process = subprocess.Popen(served, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    try:
        server = Server(f"http://127.0.0.1:{port}", pid=process.pid)
        wait_until_up(server, process, folder / "server.log")
        server.sign_in("root", "_superusers", ROOT)
        yield server
    finally:
        process.terminate()
        process.wait(40)


def wait_until_up(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the server answers; raises `AssertionError` with its log when it does not."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if server.call("GET", "/api/health", caller="guest").status_code == 200:
                return
        time.sleep(0.02)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")
