"""One site served by several processes: workers on SQLite, or nodes on one PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from network import free_port
from program import run, serving
from roots import carry_root
from servers import PASSWORD, ROOT
from workers import Line, line_to_each


@contextlib.contextmanager
def workers(folder: Path, count: int) -> Iterator[list[Line]]:
    """A line to each of so many workers on one SQLite file."""
    port = free_port()
    make_root("--dir", "data", folder=folder)
    with serving(port, "--workers", str(count), folder=folder) as process, line_to_each(process.pid, port) as opened:
        assert len(opened) == count
        yield opened


@contextlib.contextmanager
def nodes(folder: Path, database: str) -> Iterator[list[Line]]:
    """A line to each of two nodes on one PostgreSQL database."""
    make_root("--dir", "first", "--database", database, folder=folder)
    carry_root(folder / "first", folder / "second")
    with contextlib.ExitStack() as stack:
        ports = []
        for name in ("first", "second"):
            ports.append(free_port())
            stack.enter_context(serving(ports[-1], "--dir", name, "--database", database, folder=folder))
        yield [stack.enter_context(contextlib.closing(Line(port))) for port in ports]


def make_root(*place: str, folder: Path) -> None:
    """See that there is a superuser."""
    done = run("superuser", "upsert", ROOT, PASSWORD, *place, folder=folder)
    assert done.returncode == 0, done.stderr


def change(line: Line, method: str, path: str, body: Any = None, token: str = "") -> Any:
    """A request that must be obeyed; its answer."""
    status, content = line.ask(method, path, body, token)
    assert status in {200, 204}, content
    return content


def log_in(line: Line, collection: str = "_superusers", identity: str = ROOT, password: str = PASSWORD) -> str:
    """A token."""
    body = {"identity": identity, "password": password}
    token: str = change(line, "POST", f"/api/collections/{collection}/auth-with-password", body)["token"]
    return token
