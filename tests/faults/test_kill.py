"""The real server under eight writers, killed without warning and ended in order."""

import contextlib
import http.client
import json
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

KILLS = 20
WRITERS = 8
ROOT, PASSWORD = "root@example.com", "correct-horse-9"
OPEN = {"listRule": "", "viewRule": "", "createRule": "", "updateRule": ""}
FIELDS = [{"name": "text", "type": "text"}, {"name": "count", "type": "number"}]
NOTES = "/api/collections/notes/records"


@dataclass
class Site:
    """A data directory, and the server that runs on it now."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Start the server; the seconds until it answered."""
        command = [COMMAND, "serve", "--http", f"127.0.0.1:{self.port}", "--dir", "data"]
        started = time.perf_counter()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        wait_for(self.port, self.process)
        return time.perf_counter() - started

    def end(self, number: signal.Signals) -> int:
        """End the server with a signal; its exit code."""
        os.kill(self.process.pid, number)
        return self.process.wait(40)

    def stored(self):
        """What the server gives of all notes, by id."""
        found, page = {}, 1
        while items := httpx.get(self.url + NOTES, params={"page": page, "perPage": 1000}, timeout=30).json()["items"]:
            found |= {item["id"]: item for item in items}
            page += 1
        return found


@dataclass
class Promises:
    """What the server has acknowledged: texts by id, counts by id."""

    texts: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def broken(self, stored):
        texts = [name for name, text in self.texts.items() if stored.get(name, {}).get("text") != text]
        return texts + [name for name, count in self.counts.items() if stored[name]["count"] < count]


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    assert run("superuser", "upsert", ROOT, PASSWORD, "--dir", "data", folder=tmp_path).returncode == 0
    made.start()
    login = {"identity": ROOT, "password": PASSWORD}
    token = httpx.post(made.url + "/api/collections/_superusers/auth-with-password", json=login).json()["token"]
    notes = {"name": "notes", "type": "base", "fields": FIELDS, **OPEN}
    answer = httpx.post(made.url + "/api/collections", json=notes, headers={"Authorization": token})
    assert answer.status_code == 200, answer.text
    yield made
    if made.process.poll() is None:
        made.end(signal.SIGKILL)


@contextlib.contextmanager
def writing(site, promises):
    """Eight threads that write until the block ends, through restarts, and keep what they are told."""
    done = threading.Event()
    threads = [threading.Thread(target=keep_writing, args=(site, promises, done)) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    yield
    done.set()
    for thread in threads:
        thread.join()


def keep_writing(site, promises, done):
    while not done.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            write_until(connection, promises, done)
        time.sleep(0.1)


def write_until(connection, promises, done):
    own = create(connection, promises, "own")
    number = 0
    while not done.is_set():
        number += 1
        create(connection, promises, "x" * (number % 6 * 900))
        promises.counts[own] = send(connection, "PATCH", f"{NOTES}/{own}", {"count+": 1})["count"]


def create(connection, promises, text):
    name = send(connection, "POST", NOTES, {"text": text})["id"]
    promises.texts[name] = text
    return name


def send(connection, method, path, body):
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, content
    return json.loads(content)


def test_no_acknowledged_write_is_lost(site, seed):
    """Of twenty kills under load none loses a write that was acknowledged, and the server is back soon."""
    chance, promises, restarts = Random(seed), Promises(), []
    with writing(site, promises):
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 0.8))
            site.end(signal.SIGKILL)
            kept = Promises(dict(promises.texts), dict(promises.counts))
            restarts.append(site.start())
            assert kept.broken(site.stored()) == []

    print(f"{len(promises.texts)} writes; restarts took {min(restarts):.2f} to {max(restarts):.2f} s")  # noqa: T201
    assert len(promises.texts) > KILLS * WRITERS
    # Under 2 s on a quiet machine; the bound leaves room for a busy one.
    assert max(restarts) < 10


def test_an_ordered_end_loses_nothing(site):
    """Ended by SIGTERM under load the server answers what it took, leaves no log behind, and exits with 0."""
    promises = Promises()
    with writing(site, promises):
        time.sleep(1)
        code = site.end(signal.SIGTERM)

    assert code == 0
    assert not (site.folder / "data" / "data.db-wal").exists()
    site.start()
    assert promises.broken(site.stored()) == []
