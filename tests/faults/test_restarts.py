"""A PostgreSQL server that is killed and started again, three times, under eight clients that never pause."""

import contextlib
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
from network import free_port
from postgres import running_postgres
from program import serving
from sites import change, log_in, make_root
from stopwatch import Stopwatch
from workers import Line

pytestmark = pytest.mark.slow

CLIENTS = 8
TIMES = 3
NOTES = "/api/collections/notes/records"
COLLECTION = {
    "name": "notes",
    "type": "base",
    "listRule": "",
    "createRule": "",
    "fields": [{"name": "n", "type": "number"}],
}


@dataclass
class Tally:
    """What the clients were told, and the ids of the records that were acknowledged."""

    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: set[str] = field(default_factory=set)
    is_over: bool = False


@contextlib.contextmanager
def clients(port):
    """Clients that write, each as soon as it has its answer, until the block ends."""
    tally = Tally()
    threads = [threading.Thread(target=keep_writing, args=(port, tally)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield tally
    finally:
        tally.is_over = True
        for thread in threads:
            thread.join()


def keep_writing(port, tally):
    with contextlib.closing(Line(port)) as line:
        while not tally.is_over:
            status, content = line.ask("POST", NOTES, {"n": 1})
            tally.statuses[status] += 1
            if status == 200:
                tally.acknowledged.add(content["id"])
            else:
                time.sleep(0.05)


def restart(server, line):
    """Kill the server as a power cut would, start it again; seconds from its return to the first write."""
    server.stop(signal.SIGQUIT)
    time.sleep(0.5)
    server.start()
    watch = Stopwatch()
    while line.ask("POST", NOTES, {"n": 1})[0] != 200:
        assert watch.seconds() < 10
        time.sleep(0.01)
    return watch.seconds()


def test_restarts_lose_nothing(tmp_path):
    """503 meanwhile, going again within two seconds, the same process, and every acknowledged record is there."""
    port = free_port()
    with running_postgres(("max_connections=40",)) as server:
        database = server.database()
        make_root("--database", database, folder=tmp_path)
        with serving(port, "--database", database, folder=tmp_path) as process, contextlib.closing(Line(port)) as line:
            change(line, "POST", "/api/collections", COLLECTION, log_in(line))
            took = []
            with clients(port) as tally:
                for _ in range(TIMES):
                    time.sleep(1)
                    took.append(restart(server, line))
            kept = {row["id"] for row in server.run('SELECT "id" FROM "notes"', on=database)}
            is_alive = process.poll() is None

    lost = tally.acknowledged - kept
    print(f"\n{dict(tally.statuses)}, {len(tally.acknowledged)} acknowledged, {len(lost)} lost,")  # noqa: T201
    print(f"written again after {', '.join(f'{seconds:.3f} s' for seconds in took)}")  # noqa: T201
    assert not lost
    assert is_alive
    assert set(tally.statuses) == {200, 503}
    assert max(took) < 2
