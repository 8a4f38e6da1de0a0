"""Uploads through servers that are killed, and through two workers at once."""

import contextlib
import hashlib
import http.client
import os
import signal
import subprocess
import threading
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random

import httpx
import pytest
from network import free_port
from program import COMMAND, run, serving, wait_for
from servers import PASSWORD, ROOT, Server
from tus import PIECE, TUS, file_field
from workers import line_to_each

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
SIZE = 12 * MIB
KILLS = 5
PAPERS = {"name": "papers", "type": "base", "fields": [file_field(maxSize=SIZE)], "createRule": "", "viewRule": ""}
RECORDS = "/api/collections/papers/records"


class Site:
    """A data directory, and the server that runs on it now."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        assert run("superuser", "upsert", ROOT, PASSWORD, "--dir", "data", folder=folder).returncode == 0
        self.process = None
        self.http = httpx.Client(base_url=self.url, timeout=30)

    def start(self):
        command = [COMMAND, "serve", "--http", f"127.0.0.1:{self.port}", "--dir", "data"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        wait_for(self.port, self.process)

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(40)

    def begin(self):
        server = Server(self.url)
        server.sign_in("root", "_superusers", ROOT)
        self.root = {"Authorization": server.tokens["root"]}
        assert server.call("POST", "/api/collections", PAPERS).status_code == 200
        answer = self.http.post("/api/uploads", headers=TUS | {"upload-length": str(SIZE)})
        assert answer.status_code == 201
        return answer.headers["location"]

    def offset(self, place):
        answer = self.http.head(place, headers=TUS)
        assert answer.status_code == 200
        return int(answer.headers["upload-offset"])


@pytest.fixture
def stopped(tmp_path):
    made = Site(tmp_path)
    yield made
    made.http.close()
    if made.process is not None and made.process.poll() is None:
        made.kill()


@pytest.fixture
def site(stopped):
    stopped.start()
    return stopped


@pytest.fixture
def content():
    return os.urandom(SIZE)


def pour(port, place, content, offset, until, headers=None):  # noqa: PLR0917 - a piece has that many parts
    """Send a piece that goes to the end of the content, but only so far; the open connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    told = PIECE | {"upload-offset": str(offset), "content-length": str(len(content) - offset)} | (headers or {})
    connection.putrequest("PATCH", place)
    for name, value in told.items():
        connection.putheader(name, value)
    connection.endheaders()
    for start in range(offset, until, 65536):
        connection.send(content[start : min(start + 65536, until)])
    return connection


def test_a_killed_server_does_not_lie(site, content, seed):
    """Killed in the middle of a piece the server knows afterwards what has arrived, to the byte, and goes on."""
    chance, place = Random(seed), site.begin()
    part = site.folder / "data" / "uploads" / f"{place.rpartition('/')[2]}.part"
    offset, told = 0, []
    for turn in range(1, KILLS + 1):
        until = SIZE * turn // (KILLS + 1)
        with contextlib.closing(pour(site.port, place, content, offset, until)):
            time.sleep(chance.uniform(0, 0.8))
            site.kill()
        site.start()
        before, offset = offset, site.offset(place)
        assert before <= offset <= until
        assert part.read_bytes() == content[:offset]
        told.append(f"{offset / MIB:.1f} of {until / MIB:.1f}")

    print(f"killed {KILLS} times at {', '.join(told)} MiB")  # noqa: T201 - what who runs this wants to know
    connection = pour(site.port, place, content, offset, SIZE)
    assert connection.getresponse().status == 204
    connection.close()
    answer = site.http.post(RECORDS, json={"doc": f"@upload:{place.rpartition('/')[2]}"}).json()
    served = site.http.get(f"/api/files/papers/{answer['id']}/{answer['doc']}").content
    assert hashlib.sha256(served).digest() == hashlib.sha256(content).digest()
    assert {path.name for path in part.parent.iterdir()} == {"place"}


def test_a_piece_that_was_never_checked_does_not_count(site, content):
    """Killed in the middle of a piece with a checksum the server goes back to where the piece began."""
    place = site.begin()
    digest = b64encode(hashlib.sha1(content[MIB:], usedforsecurity=False).digest()).decode()
    with contextlib.closing(pour(site.port, place, content, 0, MIB)):
        wait_until(lambda: site.offset(place) == MIB)
    checked = {"upload-checksum": f"sha1 {digest}"}
    with contextlib.closing(pour(site.port, place, content, MIB, 8 * MIB, checked)):
        part = site.folder / "data" / "uploads" / f"{place.rpartition('/')[2]}.part"
        wait_until(lambda: part.stat().st_size >= 4 * MIB)
        assert site.offset(place) == MIB
        site.kill()
    site.start()

    assert site.offset(place) == MIB
    connection = pour(site.port, place, content, MIB, SIZE, checked)
    assert connection.getresponse().status == 204
    connection.close()
    assert part.read_bytes() == content


def wait_until(holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_workers(stopped, content):
    """Workers share what has arrived: each knows the offset, goes on with it, and keeps its hands off what another writes."""
    site = stopped
    with serving(site.port, "--workers", "2", "--dir", "data", folder=site.folder) as process:
        place = site.begin()
        with line_to_each(process.pid, site.port) as lines:
            one, two = (line._connection for line in lines)
            assert patch(one, place, 0, content[:MIB]) == (204, str(MIB))
            assert head(two, place) == str(MIB)
            assert patch(two, place, MIB, content[MIB : 2 * MIB]) == (204, str(2 * MIB))
            assert patch(one, place, MIB, b"x") == (409, None)
            half_sent(one, place, 2 * MIB, content[2 * MIB : 3 * MIB], MIB + 10)
            wait_until(lambda: head(two, place) == str(3 * MIB))
            dead = patch(two, place, 3 * MIB, content[3 * MIB :])
            assert dead == (204, str(SIZE))
            assert one.getresponse().status == 409
        answer = site.http.post(RECORDS, json={"doc": f"@upload:{place.rpartition('/')[2]}"}).json()
        served = site.http.get(f"/api/files/papers/{answer['id']}/{answer['doc']}").content
    assert hashlib.sha256(served).digest() == hashlib.sha256(content).digest()


def patch(connection, place, offset, content):
    connection.request("PATCH", place, content, PIECE | {"upload-offset": str(offset)})
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers["upload-offset"]


def head(connection, place):
    connection.request("HEAD", place, headers=TUS)
    answer = connection.getresponse()
    answer.read()
    return answer.headers["upload-offset"]


def half_sent(connection, place, offset, content, length):
    """A piece of which the rest never comes, on a connection that stays open."""
    connection.putrequest("PATCH", place)
    for name, value in (PIECE | {"upload-offset": str(offset), "content-length": str(length)}).items():
        connection.putheader(name, value)
    connection.endheaders(content)


def test_a_finish_that_is_killed(site, seed):
    """Killed again and again while records take uploads, the server has each upload once: waiting, or in one record."""
    chance = Random(seed)
    site.begin()
    contents = {begin_whole(site, text): text for text in (f"text {number}".encode() for number in range(150))}

    def kill_now_and_then():
        for _ in range(4):
            time.sleep(chance.uniform(0.05, 0.4))
            site.kill()
            site.start()

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(partial(finish, site), contents))
    killer.join()
    site.kill()
    site.start()  # sweeps

    records = site.http.get(f"{RECORDS}?perPage=500", headers=site.root).json()["items"]
    served = [site.http.get(f"/api/files/papers/{each['id']}/{each['doc']}").content for each in records]
    assert sorted(served) == sorted(contents.values())
    print(f"{answers.count('unknown')} of {len(answers)} answers were lost")  # noqa: T201
    data = site.folder / "data"
    wait_until(lambda: stored_names(data / "storage") == {each["doc"] for each in records})
    wait_until(lambda: {path.name for path in (data / "uploads").iterdir()} == {"place"})


def stored_names(folder):
    return {path.name for path in folder.rglob("*.txt")}


def begin_whole(site, content):
    """A finished upload's id."""
    name = b64encode(b"text.txt").decode()
    told = PIECE | {"upload-length": str(len(content)), "upload-metadata": f"filename {name}"}
    answer = site.http.post("/api/uploads", content=content, headers=told | site.root)
    assert answer.headers["upload-offset"] == str(len(content))
    return answer.headers["location"].rpartition("/")[2]


def finish(site, upload_id):
    """Try until it is known that the record is there; `unknown` when an answer was lost."""
    was_lost = False
    while True:
        with contextlib.suppress(httpx.TransportError):
            body = {"doc": f"@upload:{upload_id}"}
            answer = site.http.post(RECORDS, json=body, headers=site.root)
            if answer.status_code == 200:
                return "made"
            assert was_lost, answer.text
            assert answer.json()["data"]["doc"]["code"] == "validation_unknown_upload"
            return "unknown"
        was_lost = True
        time.sleep(0.05)
