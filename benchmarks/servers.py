"""The servers under load: how each is started, filled, watched and stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import Any

from world import KINDS, PASSWORD, World

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
ROOT = "root@example.com"
OPEN = {"listRule": "", "viewRule": "", "createRule": "", "updateRule": "", "deleteRule": ""}


class Server:
    """A server process in a folder of its own. Subclasses know how to start and fill it."""

    filter_path = ""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.user_token = ""
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def prepare(self, world: World) -> None:
        """What happens before the first start."""

    def fill(self, world: World) -> None:
        """What happens after the first start."""

    def start(self) -> float:
        """Start and wait for the first answer; the seconds that took."""
        began = time.perf_counter()
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        while time.perf_counter() - began < 60:
            try:
                urllib.request.urlopen(f"{self.base}/api/health", timeout=1).read()
                return time.perf_counter() - began
            except OSError:
                time.sleep(0.005)
        sys.exit(f"{self.name} did not start: {(self.folder / 'server.log').read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop it and forget what it stored."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu_seconds(self) -> float:
        """CPU time of all its processes so far."""
        return sum(_cpu_ticks(pid) for pid in self._pids()) / TICKS

    def memory(self) -> float:
        """Memory of all its processes in MB, shared pages counted once (PSS)."""
        return sum(_pss_kilobytes(pid) for pid in self._pids()) / 1024

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """One request with a JSON body; the JSON of the answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", token)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                raw = answer.read()
        except urllib.error.HTTPError as error:
            sys.exit(f"{self.name}: {method} {path}: {error.code} {error.read()[:500]!r}")
        return json.loads(raw) if raw else None

    def _pids(self) -> list[int]:
        listed = subprocess.run(["ps", "-o", "pid=", "--sid", str(self.process.pid)], capture_output=True, check=False)
        return [int(pid) for pid in listed.stdout.split()]


class WireServer(Server):
    """A server that speaks PocketBase's Web API; filled through it."""

    filter_path = (
        "perPage=30&skipTotal=1&sort=-views&filter=(views%%3E{n}%%26%%26published%%3Dtrue%%26%%26title%%7E'rticle')"
    )

    def __init__(self, name: str, program: str) -> None:
        super().__init__(name)
        self.program = program

    def command(self) -> list[str]:
        return [self.program, "serve", "--http", f"127.0.0.1:{self.port}", "--dir", str(self.folder / "data")]

    def prepare(self, world: World) -> None:
        command = [self.program, "superuser", "upsert", ROOT, PASSWORD, "--dir", str(self.folder / "data")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)

    def fill(self, world: World) -> None:
        token = self._sign_in("_superusers", ROOT)
        batch = {"enabled": True, "maxRequests": 1000, "timeout": 60, "maxBodySize": 0}
        self.call("PATCH", "/api/settings", {"batch": batch, "rateLimits": {"enabled": False}}, token)
        self._make_collections(token)
        secret = {"password": PASSWORD, "passwordConfirm": PASSWORD}
        users = [{**user, **secret} for user in world.users]
        for name, rows in {**asdict(world), "users": users}.items():
            for at in range(0, len(rows), 500):
                self._create(name, rows[at : at + 500], token)
        self.user_token = self._sign_in("users", world.users[0]["email"])

    def _sign_in(self, collection: str, email: str) -> str:
        body = {"identity": email, "password": PASSWORD}
        answer: dict[str, str] = self.call("POST", f"/api/collections/{collection}/auth-with-password", body)
        return answer["token"]

    def _make_collections(self, token: str) -> None:
        name = {"name": "name", "type": "text"}
        authors = self.call("POST", "/api/collections", {"name": "authors", "fields": [name], **OPEN}, token)["id"]
        users = self.call("GET", "/api/collections/users", None, token)["id"]
        for collection, rules, index in (
            ("articles", OPEN, ["created", "views"]),
            ("notes", {"listRule": "owner = @request.auth.id && published = true"}, ["owner"]),
        ):
            indexes = [f"CREATE INDEX idx_{collection}_{name} ON {collection} ({name})" for name in index]
            body = {"name": collection, "fields": _article_fields(authors, users), "indexes": indexes, **rules}
            self.call("POST", "/api/collections", body, token)

    def _create(self, collection: str, rows: list[dict[str, Any]], token: str) -> None:
        url = f"/api/collections/{collection}/records"
        requests = [{"method": "POST", "url": url, "body": row} for row in rows]
        self.call("POST", "/api/batch", {"requests": requests}, token)


class OwnServer(Server):
    """One of the programs in this folder: `load FILE` fills it, `serve` runs it."""

    def __init__(self, name: str, program: str, filter_path: str) -> None:
        super().__init__(name)
        self.program = HERE / program
        self.filter_path = filter_path

    def command(self) -> list[str]:
        return [sys.executable, str(self.program), "serve", str(self.folder / "data.db"), str(self.port)]

    def prepare(self, world: World) -> None:
        source = self.folder / "world.json"
        source.write_text(json.dumps(asdict(world)))
        command = [sys.executable, str(self.program), "load", str(self.folder / "data.db"), str(source)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=self.folder).stdout
        self.user_token = printed.strip()


def all_servers() -> dict[str, Server]:
    """The contenders by name; Undercroft last, for the others are compared with it."""
    same_filter = WireServer.filter_path
    own_filter = "perPage=30&skipTotal=1&sort=-views&views_above={n}&published=true&title_has=rticle"
    binaries = Path(sys.executable).parent
    return {
        "pocketbase": WireServer("pocketbase", str(binaries / "pocketbase")),
        "fastapi": OwnServer("fastapi", "fastapi_app.py", own_filter),
        "bare": OwnServer("bare", "bare.py", same_filter),
        "undercroft": WireServer("undercroft", str(binaries / "undercroft")),
    }


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _article_fields(authors: str, users: str) -> list[dict[str, Any]]:
    return [
        {"name": "title", "type": "text", "required": True},
        {"name": "body", "type": "editor"},
        {"name": "byline", "type": "text"},
        {"name": "views", "type": "number"},
        {"name": "published", "type": "bool"},
        {"name": "tags", "type": "json"},
        {"name": "kind", "type": "select", "maxSelect": 1, "values": KINDS},
        {"name": "author", "type": "relation", "collectionId": authors, "maxSelect": 1},
        {"name": "owner", "type": "relation", "collectionId": users, "maxSelect": 1},
        {"name": "created", "type": "autodate", "onCreate": True},
        {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True},
    ]


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _pss_kilobytes(pid: int) -> int:
    try:
        found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
