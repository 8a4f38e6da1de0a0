"""Two workers under eight clients that never pause: one of them is killed, or asked to end, again and again."""

import contextlib
import http.client
import json
import os
import signal
import threading
import time
from dataclasses import dataclass, field

import pytest
from network import free_port
from program import children, run, serving
from servers import PASSWORD, ROOT, Server
from stopwatch import Stopwatch

pytestmark = pytest.mark.slow

CLIENTS = 8
TIMES = 10
OPEN = {"listRule": "", "viewRule": "", "createRule": "", "updateRule": ""}
NOTES = "/api/collections/notes/records"


@dataclass
class Tally:
    """What the clients saw: how long each answer took, what failed, and which records were acknowledged."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)


@pytest.fixture
def site(tmp_path):
    """A server with two workers and a collection that everybody may write to."""
    assert run("superuser", "upsert", ROOT, PASSWORD, "--dir", "data", folder=tmp_path).returncode == 0
    port = free_port()
    with serving(port, "--workers", "2", folder=tmp_path) as process:
        server = Server(f"http://127.0.0.1:{port}")
        server.sign_in("root", "_superusers", ROOT)
        notes = {"name": "notes", "type": "base", "fields": [{"name": "text", "type": "text"}], **OPEN}
        assert server.call("POST", "/api/collections", notes).status_code == 200
        yield process, port


@contextlib.contextmanager
def clients(port):
    """Eight clients that ask, each as soon as it has its answer, until the block ends."""
    tally, done = Tally(), threading.Event()
    threads = [threading.Thread(target=keep_asking, args=(port, tally, done)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    yield tally
    done.set()
    for thread in threads:
        thread.join()


def keep_asking(port, tally, done):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        while not done.is_set():
            watch = Stopwatch()
            try:
                name = ask(connection, "POST", json.dumps({"text": "x"}))["id"]
                tally.created.append(name)
                ask(connection, "GET", None, f"/{name}")
            except (OSError, http.client.HTTPException, AssertionError) as error:
                tally.failures.append(repr(error))
                connection.close()
            tally.seconds.append(watch.seconds())


def ask(connection, method, body, path=""):
    connection.request(method, NOTES + path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, content
    return json.loads(content)


def wait_for_successor(process, victim):
    """Return once two workers run that are not the victim; the seconds it took."""
    watch = Stopwatch()
    while victim in (now := children(process.pid)) or len(now) < 2:
        assert watch.seconds() < 40
        time.sleep(0.005)
    return watch.seconds()


def test_a_killed_worker_takes_only_its_requests_with_it(site):
    """Each kill fails at most the one request of each client that was with the victim; no client waits for long."""
    process, port = site
    with clients(port) as tally:
        for number in range(TIMES):
            time.sleep(1.2)
            victim = children(process.pid)[number % 2]
            os.kill(victim, signal.SIGKILL)
            wait_for_successor(process, victim)
        time.sleep(1)

    stored = ids_of_notes(port)
    print(f"{len(tally.seconds)} rounds, {len(tally.failures)} failures, longest {max(tally.seconds):.2f} s")  # noqa: T201
    assert set(tally.created) <= stored
    assert len(tally.failures) <= TIMES * CLIENTS
    assert len(tally.seconds) > 20 * TIMES
    # A client whose connection falls to the empty place waits for the successor: under 1 s on a quiet machine.
    assert max(tally.seconds) < 5


def test_a_worker_that_is_asked_to_end_fails_nobody(site):
    """A worker ended by SIGTERM answers what it has, sends its clients elsewhere, and is replaced."""
    process, port = site
    with clients(port) as tally:
        for number in range(TIMES // 2):
            time.sleep(0.5)
            victim = children(process.pid)[number % 2]
            os.kill(victim, signal.SIGTERM)
            wait_for_successor(process, victim)
        time.sleep(0.5)

    print(f"{len(tally.seconds)} rounds, longest {max(tally.seconds):.2f} s")  # noqa: T201
    assert tally.failures == []
    assert len(tally.seconds) > 20 * TIMES


def test_a_worker_that_dies_again_and_again_does_not_take_the_port_with_it(site):
    """While one place is empty for a time, the other worker answers every new connection."""
    process, port = site
    survivor, victim = children(process.pid)
    for _ in range(4):
        os.kill(victim, signal.SIGKILL)
        wait_until_gone(victim)
        deadline = time.monotonic() + 20
        while len(now := children(process.pid)) < 2 and time.monotonic() < deadline:
            watch = Stopwatch()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            ask_health(connection)
            assert watch.seconds() < 3
        victim = next(pid for pid in now if pid != survivor)

    assert survivor in children(process.pid)


def ask_health(connection):
    with contextlib.closing(connection):
        connection.request("GET", "/api/health")
        assert connection.getresponse().status == 200


def wait_until_gone(pid):
    while os.path.exists(f"/proc/{pid}/stat"):  # noqa: PTH110 - a process, not a file
        time.sleep(0.005)


def ids_of_notes(port):
    server, found, page = Server(f"http://127.0.0.1:{port}"), set(), 1
    while items := server.call("GET", f"{NOTES}?page={page}&perPage=1000&fields=id", caller="guest").json()["items"]:
        found |= {item["id"] for item in items}
        page += 1
    return found
