"""The real server under uploads, killed without warning again and again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
import pytest
from network import free_port
from program import COMMAND, run, wait_for

pytestmark = pytest.mark.slow

KILLS = 12
UPLOADERS = 4
ROOT, PASSWORD = "root@example.com", "correct-horse-9"
OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
FIELDS = [{"name": "docs", "type": "file", "maxSelect": 3}]
RECORDS = "/api/collections/things/records"


@dataclass
class Site:
    """A data directory, and the server that runs on it now."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [COMMAND, "serve", "--http", f"127.0.0.1:{self.port}", "--dir", "data"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        wait_for(self.port, self.process)

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(20)


@dataclass
class Uploader:
    """Makes, changes and deletes records of its own, and knows the content of those that were acknowledged.

    Of what it was doing when the server went away it knows nothing more.
    """

    site: Site
    chance: Random
    known: dict[str, tuple[list[str], list[bytes]]] = field(default_factory=dict)
    count: int = 0

    def work(self, done: threading.Event) -> None:
        while not done.is_set():
            with contextlib.suppress(httpx.HTTPError), httpx.Client(base_url=self.site.url, timeout=30) as http:
                while not done.is_set():
                    self.do_something(http)
            time.sleep(0.05)

    def do_something(self, http: httpx.Client) -> None:
        deed = self.chance.choice(("create", "create", "replace", "add", "delete"))
        if deed == "create" or not self.known:
            self.send(http, "POST", RECORDS, "docs", [])
            return
        record_id = self.chance.choice(list(self.known))
        names, contents = self.known.pop(record_id)
        if deed == "delete":
            assert http.delete(f"{RECORDS}/{record_id}").status_code == 204
        elif deed == "replace" or len(names) == 3:
            self.send(http, "PATCH", f"{RECORDS}/{record_id}", "docs", [])
        else:
            self.send(http, "PATCH", f"{RECORDS}/{record_id}", "docs+", contents)
        self.count += 1

    def send(self, http: httpx.Client, method: str, path: str, key: str, kept: list[bytes]) -> None:
        content = self.chance.randbytes(self.chance.choice((0, 10, 70_000, 600_000)))
        answer = http.request(method, path, files={key: ("a.bin", content)})
        assert answer.status_code == 200, answer.text
        self.known[answer.json()["id"]] = (answer.json()["docs"], [*kept, content])
        self.count += 1

    def broken(self, http: httpx.Client) -> list[str]:
        """The acknowledged records that are not what they were."""
        return [
            record_id
            for record_id, (names, contents) in self.known.items()
            if not is_as_it_was(http, record_id, names, contents)
        ]


def is_as_it_was(http: httpx.Client, record_id: str, names: list[str], contents: list[bytes]) -> bool:
    answer = http.get(f"{RECORDS}/{record_id}")
    files = [http.get(f"/api/files/things/{record_id}/{name}") for name in names]
    return answer.json().get("docs") == names and [file.content for file in files] == contents


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    assert run("superuser", "upsert", ROOT, PASSWORD, "--dir", "data", folder=tmp_path).returncode == 0
    made.start()
    form = {"identity": ROOT, "password": PASSWORD}
    token = httpx.post(f"{made.url}/api/collections/_superusers/auth-with-password", json=form).json()["token"]
    body = {"name": "things", "type": "base", "fields": FIELDS, **OPEN}
    assert httpx.post(f"{made.url}/api/collections", json=body, headers={"Authorization": token}).status_code == 200
    yield made
    made.kill()


def test_no_file_is_lost_and_none_is_left(site, seed):
    """Of many kills under uploads none loses a file of an acknowledged record, or leaves one that nobody names."""
    uploaders = [Uploader(site, Random(f"{seed}-{number}")) for number in range(UPLOADERS)]
    chance = Random(seed)
    for _ in range(KILLS):
        done = threading.Event()
        threads = [threading.Thread(target=each.work, args=(done,)) for each in uploaders]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.2, 1.0))
        site.kill()
        done.set()
        for thread in threads:
            thread.join()
        site.start()
        with httpx.Client(base_url=site.url, timeout=30) as http:
            assert [each.broken(http) for each in uploaders] == [[]] * UPLOADERS

    print(f"{sum(each.count for each in uploaders)} writes with files")  # noqa: T201
    assert sum(each.count for each in uploaders) > KILLS
    report = check_until_clear(site)
    assert report.returncode == 0, report.stdout
    assert "0 records name 0" not in report.stdout


def check_until_clear(site: Site) -> subprocess.CompletedProcess[str]:
    """What `files check --deep` says, once the server has cleared away what must go."""
    for _ in range(20):
        report = run("files", "check", "--deep", "--dir", "data", folder=site.folder)
        waiting = [path for path in (site.folder / "data" / "storage" / ".staging").rglob("*") if path.is_file()]
        if report.returncode == 0 and not waiting:
            break
        time.sleep(0.5)
    return report
