"""The `undercroft` command as others run it: its processes, its output, its sockets."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

COMMAND = str(Path(sys.executable).parent / "undercroft")


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextlib.contextmanager
def serving(port: int, *arguments: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A server that answers on a port; killed at the end when it is still there, and its workers are gone then."""
    process = subprocess.Popen(
        [COMMAND, "serve", "--http", f"127.0.0.1:{port}", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(port, process)
        yield process
    finally:
        workers = children(process.pid) if process.poll() is None else []
        process.kill()
        process.wait()
        end_workers(workers)
        if process.stdout is not None:
            process.stdout.close()


def end_workers(workers: list[int]) -> None:
    """Return once these have ended, which the end of their parent tells them to, lest one answers for the next server."""
    deadline = time.monotonic() + 10
    while left := [pid for pid in workers if is_running(pid)]:
        if time.monotonic() > deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process is there, and not only waited for."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def wait_for(port: int, process: subprocess.Popen[str]) -> None:
    """Return once the port answers; raises `AssertionError` with the output when the process ends before."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            if talk(port, b"GET /api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(
                b"HTTP/1.1 200"
            ):
                return
        time.sleep(0.02)
    process.kill()
    raise AssertionError(process.communicate()[0])


def connect(port: int) -> socket.socket:
    """A socket to a port of this machine."""
    return socket.create_connection(("127.0.0.1", port), timeout=15)


def talk(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send bytes as they are, and read until the other side closes or is silent."""
    with connect(port) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        return read_all(connection)


def read_all(connection: socket.socket, silence: float = 5.0) -> bytes:
    """What comes until the other side closes, resets, or is silent for so long."""
    connection.settimeout(silence)
    answer = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while piece := connection.recv(65536):
            answer += piece
    return answer


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are still there, oldest first."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
