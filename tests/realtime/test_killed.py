"""Listeners who come and go while workers and servers are killed: every committed change is heard once.

DRILL_DISCONNECTS says how often listeners lose their connection; 60 unless told.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import threading
import time
from random import Random

import apsw
import asyncpg
import pytest
from listening import Comer
from network import free_port
from postgres import in_thread
from program import children, end_workers, serving
from servers import Server
from sites import make_root

pytestmark = pytest.mark.slow

DISCONNECTS = int(os.environ.get("DRILL_DISCONNECTS", "60"))
LISTENERS = 3
NOTES = {
    "name": "notes",
    "listRule": "",
    "createRule": "",
    "updateRule": "",
    "fields": [{"name": "n", "type": "number"}],
}
PLACES = """SELECT "id" FROM "_changes" WHERE "kind" = 'record' AND "collection" = '{}' AND "id" > {} ORDER BY "id\""""
FAULTS = (OSError, http.client.HTTPException, ValueError)


class Servers:
    """One server with two workers, or two nodes on one database; they are killed and started again."""

    def __init__(self, folder, database):
        self.ports = [free_port(), free_port()] if database else [free_port()]
        self._folder = folder
        self._database = database
        self._running = {}

    def start(self, port):
        where = ["--dir", f"data{port}", "--database", self._database] if self._database else ["--workers", "2"]
        stack = contextlib.ExitStack()
        process = stack.enter_context(serving(port, *where, folder=self._folder))
        self._running[port] = stack, process

    def stop(self, port):
        stack, process = self._running.pop(port)
        process.send_signal(signal.SIGTERM)
        process.wait(40)
        stack.close()

    def hurt(self, chance):
        """Kill or end a worker, or a node, or start everything anew."""
        port = chance.choice(self.ports)
        process = self._running[port][1]
        if not self._database and chance.random() < 0.8:
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(chance.choice(children(process.pid)), chance.choice([signal.SIGKILL, signal.SIGTERM]))
            return
        if chance.random() < 0.5:
            workers = children(process.pid)
            process.kill()
            process.wait()
            end_workers(workers)
        self.stop(port)
        self.start(port)

    def places(self, collection, after):
        """The positions of all committed changes of a collection's records."""
        sql = PLACES.format(collection, after)
        if self._database:
            return [row[0] for row in in_thread(fetch(self._database, sql))]
        connection = apsw.Connection(str(self._folder / "data" / "data.db"), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return [row[0] for row in connection.execute(sql)]
        finally:
            connection.close()


async def fetch(url, sql):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(sql)
    finally:
        await connection.close()


@pytest.fixture
def servers(tmp_path, database):
    made = Servers(tmp_path, database)
    make_root(
        "--dir", "first" if database else "data", *(["--database", database] if database else []), folder=tmp_path
    )
    for port in made.ports:
        made.start(port)
    yield made
    for port in list(made._running):
        made.stop(port)


def write(ports, chance, is_over):
    """Create and update until it is over, whatever becomes of it."""
    ids = []
    while not is_over.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", chance.choice(ports), timeout=5)
        is_update = ids and chance.random() < 0.5
        path = f"/api/collections/notes/records{'/' + chance.choice(ids) if is_update else ''}"
        try:
            body = json.dumps({"n": chance.random()})
            connection.request("PATCH" if is_update else "POST", path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            if answer.status == 200:
                ids.append(json.loads(answer.read())["id"])
        except FAULTS:
            time.sleep(0.05)
        finally:
            connection.close()
        time.sleep(chance.random() * 0.02)


def test_every_change_is_heard_once(servers, seed):
    """In order, whichever process the listener comes back to."""
    chance, is_over = Random(seed), threading.Event()
    server = Server(f"http://127.0.0.1:{servers.ports[0]}")
    server.sign_in("root", "_superusers", "root@example.com")
    collection = server.call("POST", "/api/collections", NOTES).json()["id"]
    comers = [Comer(servers.ports, "notes/*", Random(chance.random())) for _ in range(LISTENERS)]
    writers = [threading.Thread(target=write, args=(servers.ports, Random(chance.random()), is_over)) for _ in range(3)]
    begun = [comer.place for comer in comers]
    for writer in writers:
        writer.start()
    while sum(comer.connects for comer in comers) < DISCONNECTS:
        time.sleep(chance.random() * 1.5)
        servers.hurt(chance)
    is_over.set()
    for writer in writers:
        writer.join()

    for comer, place in zip(comers, begun, strict=True):
        expected = servers.places(collection, place)
        wait_until_heard(comer, expected)
        comer.stop()
        heard = [event.place for event in comer.heard]
        assert {event.name for event in comer.heard} == {"notes/*"}
        assert heard == expected
        print(f"{len(heard)} changes heard once over {comer.connects} connections")  # noqa: T201 - shown with -s


def wait_until_heard(comer, places):
    """Return once the last one was heard; the assertions tell what is wrong when it is not."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (not comer.heard or comer.heard[-1].place < places[-1]):
        time.sleep(0.05)
