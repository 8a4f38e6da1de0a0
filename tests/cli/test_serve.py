"""The server as a process: starting, draining, ending, being several."""

import json
import os
import re
import signal
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from network import free_port
from program import children, connect, is_running, read_all, run, serving, talk
from stopwatch import Stopwatch

HEALTH = b"GET /api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
JSON_HEAD = (
    b"POST /api/collections/_superusers/auth-with-password HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
)


@pytest.fixture
def port():
    return free_port()


def test_prints_the_address_and_the_link_once(tmp_path, port):
    """The first start prints where the server is, and the link that makes the first superuser; it works once."""
    with serving(port, folder=tmp_path) as server:
        server.terminate()
        output = server.communicate()[0]
    assert f"http://127.0.0.1:{port}/api/" in output
    assert str(tmp_path / "data") in output
    assert output.count("/_/setup/") == 1


def test_set_up_by_link(tmp_path, port):
    """The printed link makes a superuser, and is spent then; the next start prints none."""
    with serving(port, folder=tmp_path) as server:
        lines = iter(server.stdout.readline, "")
        path = next(found[0] for line in lines if (found := re.search(r"/_/setup/\w+", line)))
        form = b"email=a%40example.com&password=a-long-password&passwordConfirm=a-long-password"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(form)}\r\n"
        request = head.encode() + b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + form
        assert talk(port, request).startswith(b"HTTP/1.1 200")
        assert talk(port, request).startswith(b"HTTP/1.1 404")
    with serving(port, folder=tmp_path) as server:
        server.terminate()
        assert "/_/setup/" not in server.communicate()[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_signals_end_it_in_order(tmp_path, port, number, workers):
    """SIGINT and SIGTERM end the server with 0, also with a connection that idles."""
    with serving(port, "--workers", workers, folder=tmp_path) as server, connect(port) as idle:
        idle.sendall(HEALTH.replace(b"Connection: close\r\n", b""))
        assert idle.recv(100)
        watch = Stopwatch()
        server.send_signal(number)

        assert server.wait(20) == 0
        assert watch.seconds() < 5


@pytest.mark.parametrize("workers", ["1", "2"])
def test_requests_in_flight_are_drained(tmp_path, port, workers):
    """A request that is under way when the signal comes is still answered; new ones find nobody."""
    with serving(port, "--workers", workers, folder=tmp_path) as server, connect(port) as slow:
        body = json.dumps({"identity": "nobody@example.com", "password": "x"}).encode()
        slow.sendall(JSON_HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
        time.sleep(0.8)  # until it was taken up
        server.terminate()
        wait_until(lambda: is_refused(port))
        assert server.poll() is None
        slow.sendall(body[10:])

        assert b"Failed to authenticate." in read_all(slow)
        assert server.wait(20) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ends_while_people_connect(tmp_path, port, workers):
    """Who connects in the very moment in which it ends does not keep it from ending."""
    with serving(port, "--workers", workers, folder=tmp_path) as server, ThreadPoolExecutor(4) as many:
        ended = threading.Event()
        callers = [many.submit(_connect_until, ended, port) for _ in range(4)]
        watch = Stopwatch()
        server.terminate()
        try:
            assert server.wait(20) == 0
            assert watch.seconds() < 5
        finally:
            ended.set()
        assert [caller.result() for caller in callers] == [None] * 4


def _connect_until(ended: threading.Event, port: int) -> None:
    """Connect and let go, again and again."""
    while not ended.is_set():
        with suppress(OSError), connect(port):
            pass


def test_second_signal_ends_it_at_once(tmp_path, port):
    """Who cannot wait for the drain signals twice."""
    with serving(port, folder=tmp_path) as server, connect(port) as slow:
        slow.sendall(JSON_HEAD + b"Content-Length: 50\r\n\r\n{")
        time.sleep(0.8)  # until it was taken up
        server.terminate()
        wait_until(lambda: is_refused(port))
        server.terminate()

        assert server.wait(5) == 130


@pytest.mark.slow
def test_drain_has_a_limit(tmp_path, port):
    """A request that never ends holds the server for half a minute, not longer."""
    with serving(port, folder=tmp_path) as server, connect(port) as slow:
        slow.sendall(JSON_HEAD + b"Content-Length: 50\r\n\r\n{")
        time.sleep(0.8)  # until it was taken up
        began = time.monotonic()
        server.terminate()

        assert server.wait(45) == 0
        assert 25 < time.monotonic() - began < 40


def test_superusers_beside_a_running_server(tmp_path, port):
    """Superusers made, changed and deleted by the command are obeyed by the running server at once."""
    with serving(port, folder=tmp_path):
        for command, password, works in [
            ("create", "a-long-password", True),
            ("update", "another-password", True),
            ("upsert", "a-third-password", True),
        ]:
            done = run("superuser", command, "a@example.com", password, "--dir", "data", folder=tmp_path)
            assert done.returncode == 0, done.stderr
            assert log_in(port, "a@example.com", password) is works
        run("superuser", "create", "b@example.com", "a-long-password", "--dir", "data", folder=tmp_path)
        assert run("superuser", "delete", "a@example.com", "--dir", "data", folder=tmp_path).returncode == 0
        assert log_in(port, "a@example.com", "a-third-password") is False


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "x", "a-long-password"),
        ("create", "a@example.com", "short"),
        ("update", "nobody@example.com", "a-long-password"),
        ("delete", "nobody@example.com"),
    ],
)
def test_superuser_mistakes(tmp_path, arguments):
    """A mistake is told in a sentence and ends with a code that is not 0."""
    done = run("superuser", *arguments, "--dir", "data", folder=tmp_path)

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("undercroft: ")


def test_dead_worker_is_replaced(tmp_path, port):
    """A worker that is killed has a successor, and the others go on answering."""
    with serving(port, "--workers", "2", folder=tmp_path) as server:
        victim = children(server.pid)[0]
        os.kill(victim, signal.SIGKILL)
        for _ in range(10):
            assert talk(port, HEALTH).startswith(b"HTTP/1.1 200")

        wait_until(lambda: len(children(server.pid)) == 2)
        assert victim not in children(server.pid)


def test_workers_end_with_their_parent(tmp_path, port):
    """When the parent is killed, its workers end too."""
    with serving(port, "--workers", "2", folder=tmp_path) as server:
        workers = children(server.pid)
        server.kill()

        wait_until(lambda: not any(is_running(worker) for worker in workers))


def test_access_lines(tmp_path, port):
    """With the access log every request has a line, without its query and on one line."""
    with serving(port, "--access-log", folder=tmp_path) as server:
        talk(port, HEALTH.replace(b"/api/health", b"/api/he%0aalth?token=secret"))
        server.terminate()
        output = server.communicate()[0]

    assert re.search(r"GET /api/he\\nalth 404 [\d.]+ms 127\.0\.0\.1 \S+", output)
    assert "secret" not in output


def test_version(tmp_path):
    """`--version` and `--help` answer, and soon."""
    watch = Stopwatch()
    done = run("--version", folder=tmp_path)

    assert re.match(r"undercroft, version \d", done.stdout)
    assert watch.seconds() < 2
    assert "superuser" in run("--help", folder=tmp_path).stdout


def is_refused(port):
    try:
        connect(port).close()
    except OSError:
        return True
    return False


def log_in(port, email, password):
    body = json.dumps({"identity": email, "password": password}).encode()
    head = JSON_HEAD + f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return talk(port, head + body).startswith(b"HTTP/1.1 200")


def wait_until(holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_root_key_is_told_of_once(tmp_path, port):
    """The first server says where it is and what hangs on it; the file is for its owner alone."""
    told = []
    run("superuser", "upsert", "a@example.com", "a-long-password", "--dir", "data", folder=tmp_path)
    for _ in range(2):
        with serving(port, folder=tmp_path) as server:
            server.terminate()
            told.append(server.communicate()[0])

    file = tmp_path / "data" / "root.key"
    assert f"The root key of this server is {Path('data/root.key')}" in told[0]
    assert "root key" not in told[1]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the limits of another process are read in /proc")
def test_writes_no_memory_to_disk(tmp_path, port):
    """A server that crashes leaves no core dump, in which keys and secrets would be."""
    with serving(port, folder=tmp_path) as server:
        connect(port).close()
        limits = Path(f"/proc/{server.pid}/limits").read_text()
        server.terminate()

    assert re.search(r"Max core file size\s+0\s", limits)
