"""A connection to each worker of a server, so that a test can ask one of them and not another."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from program import children
from stopwatch import Stopwatch


class Line:
    """A connection that stays with one process."""

    def __init__(self, port: int) -> None:
        self.server = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._connection.connect()

    @property
    def port(self) -> int:
        """Our end's port."""
        number: int = self._connection.sock.getsockname()[1]
        return number

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """One request; the status, and the body as JSON."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": token} if token else {})
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self._connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None

    def status(self, path: str, **headers: str) -> int:
        """The status of a page or a file; underscores in names of headers are hyphens."""
        with self.open(path, **headers) as answer:
            answer.read()
            return answer.status

    def open(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """An answer to read as it comes."""
        self._connection.request("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
        return self._connection.getresponse()

    def close(self) -> None:
        """Let go of it; whoever reads an answer that goes on, in another thread, comes to its end."""
        if self._connection.sock is not None:
            with contextlib.suppress(OSError):  # the server was faster
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()


@contextlib.contextmanager
def line_to_each(parent: int, port: int) -> Iterator[list[Line]]:
    """A line to every worker of a server."""
    found: dict[int, Line] = {}
    others = []
    deadline = time.monotonic() + 20
    while len(found) < len(workers := children(parent)) and time.monotonic() < deadline:
        line = Line(port)
        line.ask("GET", "/api/health")
        if (worker := _holder(line.port, port, workers)) in found:
            others.append(line)
        else:
            found[worker] = line
    try:
        yield list(found.values())
    finally:
        for line in [*found.values(), *others]:
            line.close()


def wait_until_all(lines: list[Line], holds: Callable[[Line], bool]) -> float:
    """Ask all until it holds for each; the seconds it took. Raises `AssertionError` after ten."""
    watch = Stopwatch()
    waiting = list(lines)
    while waiting := [line for line in waiting if not holds(line)]:
        assert watch.seconds() < 10
        time.sleep(0.002)
    return watch.seconds()


def _holder(from_port: int, to_port: int, pids: list[int]) -> int:
    """The process that has the server's end of a connection."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inode = next(row[9] for row in rows if row[1].endswith(f":{to_port:04X}") and row[2].endswith(f":{from_port:04X}"))
    return next(pid for pid in pids if f"socket:[{inode}]" in _open_files(pid))


def _open_files(pid: int) -> set[str]:
    found = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(os.readlink(path))  # noqa: PTH115 - what it says is no path
    return found
