"""Fifty clients at once, spread over several processes: unique values stay unique, and every increment counts."""

import contextlib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
from sites import change, log_in, nodes, workers
from workers import Line, wait_until_all

pytestmark = pytest.mark.slow

CLIENTS = 50
ROUNDS = 200
OPEN = {"listRule": "", "viewRule": "", "createRule": "", "updateRule": ""}
RECORDS = "/api/collections/races/records"
RACES = {
    "name": "races",
    "type": "base",
    "fields": [{"name": "name", "type": "text"}, {"name": "n", "type": "number"}],
    "indexes": ["CREATE UNIQUE INDEX one_name ON races (name)"],
    **OPEN,
}


@dataclass
class Tally:
    """What the clients were told."""

    winners: Counter[str] = field(default_factory=Counter)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)


@pytest.fixture(params=["sqlite", "postgresql"], ids=["two workers", "two nodes"])
def lines(request, tmp_path):
    """A line to each of two workers on SQLite, or of two nodes on PostgreSQL, with a collection that is open to all."""
    is_sqlite = request.param == "sqlite"
    site = workers(tmp_path, 2) if is_sqlite else nodes(tmp_path, request.getfixturevalue("postgres").database())
    with site as opened:
        change(opened[0], "POST", "/api/collections", RACES, log_in(opened[0]))
        wait_until_all(opened, lambda line: line.ask("GET", RECORDS)[0] == 200)
        yield opened


def test_races_between_processes(lines, request):
    """In every round all take one name, which one of them gets, and all add one to the same number."""
    counter = change(lines[0], "POST", RECORDS, {"name": "counter"})["id"]
    tally, began = Tally(), time.perf_counter()
    race(lines, tally, f"{RECORDS}/{counter}")

    seconds = time.perf_counter() - began
    print(f"\n{CLIENTS} clients x {ROUNDS} rounds, {request.node.name}: {seconds:.1f} s, {dict(tally.statuses)}")  # noqa: T201
    for line in [Line(line.server) for line in lines]:  # those that were idle may have been closed
        assert change(line, "GET", f"{RECORDS}/{counter}")["n"] == CLIENTS * ROUNDS
        assert change(line, "GET", f"{RECORDS}?perPage=1")["totalItems"] == ROUNDS + 1
        line.close()
    assert tally.winners == {f"name {number}": 1 for number in range(ROUNDS)}
    assert {status for _, status in tally.statuses} <= {200, 400, 503}
    assert tally.statuses["PATCH", 200] == CLIENTS * ROUNDS
    assert tally.statuses["POST", 400] == (CLIENTS - 1) * ROUNDS


def race(lines, tally, counter):
    """Run all rounds, each begun by all clients at once."""
    start, lock = threading.Barrier(CLIENTS), threading.Lock()

    def run(line):
        for number in range(ROUNDS):
            start.wait(60)
            for method, path, body in (
                ("PATCH", counter, {"n+": 1}),
                ("POST", RECORDS, {"name": f"name {number}"}),
            ):
                seen = ask_until_answered(line, method, path, body)
                with lock:
                    tally.statuses.update((method, status) for status in seen)
                    tally.winners.update([body["name"]] if (method, seen[-1]) == ("POST", 200) else [])

    with contextlib.ExitStack() as stack:
        own = [stack.enter_context(contextlib.closing(Line(line.server))) for line in spread(lines)]
        threads = [threading.Thread(target=run, args=(line,)) for line in own]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def spread(lines):
    return [lines[number % len(lines)] for number in range(CLIENTS)]


def ask_until_answered(line, method, path, body):
    """Ask again for as long as the answer is to come back later; what was answered."""
    seen = []
    while not seen or seen[-1] == 503:
        seen.append(line.ask(method, path, body)[0])
        time.sleep(0.05 if seen[-1] == 503 else 0)
    return seen
