"""What encrypted fields cost: the same collection in clear and encrypted, one request after the other.

    python benchmarks/sealed.py [--rows 10000] [--requests 300] [--rounds 3]

Starts a server of its own on this machine and prints, for each kind of work, the median time of a
request and what the encrypted one takes more; and the bytes that a value takes in the database.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = ("root@example.com", "correct-horse-9")
OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
MANY = 500
SEARCHED = {"search": "equality", "normalize": "email"}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A server on an empty folder; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run = [sys.executable, "-m", "undercroft"]
    subprocess.run([*run, "superuser", "upsert", *ROOT, "--dir", str(folder)], check=True, stdout=subprocess.DEVNULL)
    command = [*run, "serve", "--dir", str(folder), "--http", f"127.0.0.1:{port}", "--no-rate-limits"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address)
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def wait_for(address: str) -> None:
    """Return once the server answers."""
    for _ in range(200):
        try:
            if httpx.get(f"{address}/api/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise SystemExit("The server did not start.")


def field(name: str, encrypted: Any) -> dict[str, Any]:
    """A text field, encrypted or not."""
    made = {"name": name, "type": "text"}
    return made | {"encrypted": encrypted} if encrypted else made


def furnish(client: httpx.Client, name: str, rows: int, *, encrypted: bool) -> None:
    """A collection of nine fields, three of them encrypted, with its records."""
    secret = [
        field("mail", SEARCHED if encrypted else None),
        field("phone", encrypted or None),
        field("body", encrypted or None),
    ]
    others = [field(f"plain{number}", None) for number in range(5)] + [{"name": "number", "type": "number"}]
    index = [] if encrypted else [f"CREATE INDEX idx_{name}_mail ON {name} (mail)"]
    body = {"name": name, "type": "base", "fields": [*secret, *others], "indexes": index, **OPEN}
    answer = client.post("/api/collections", json=body)
    answer.raise_for_status()
    for start in range(0, rows, MANY):
        requests = [
            {"method": "POST", "url": f"/api/collections/{name}/records", "body": record(number)}
            for number in range(start, min(start + MANY, rows))
        ]
        answer = client.post("/api/batch", json={"requests": requests}, timeout=120)
        answer.raise_for_status()


def record(number: int) -> dict[str, Any]:
    """A record by its number."""
    plain = {f"plain{place}": f"some words {number}" for place in range(5)}
    body = "A message of two hundred characters or so, as somebody would write it to a team. " * 2
    return {"mail": f"person{number}@example.com", "phone": f"+49 30 {number}", "body": body, "number": number} | plain


def median(client: httpx.Client, count: int, ask: Callable[[int], httpx.Request]) -> float:
    """The median time of requests, in microseconds."""
    taken = []
    for number in range(count):
        request = ask(number)
        began = time.perf_counter()
        answer = client.send(request)
        taken.append(time.perf_counter() - began)
        answer.raise_for_status()
    return statistics.median(taken) * 1e6


def works(client: httpx.Client, rows: int, chance: random.Random) -> dict[str, Callable[[str, int], httpx.Request]]:
    """What is measured, by name: a request for a collection."""

    def listing(name: str, number: int) -> httpx.Request:
        del number
        return client.build_request("GET", f"/api/collections/{name}/records", params={"skipTotal": 1})

    def elsewhere(name: str, number: int) -> httpx.Request:
        del number
        page = chance.randrange(1, rows // 30)
        return client.build_request("GET", f"/api/collections/{name}/records", params={"skipTotal": 1, "page": page})

    def finding(name: str, number: int) -> httpx.Request:
        del number
        text = f"mail = 'person{chance.randrange(rows)}@example.com'"
        return client.build_request("GET", f"/api/collections/{name}/records", params={"filter": text, "skipTotal": 1})

    def missing(name: str, number: int) -> httpx.Request:
        params = {"filter": f"mail = 'nobody{number}@example.com'", "skipTotal": 1}
        return client.build_request("GET", f"/api/collections/{name}/records", params=params)

    def creating(name: str, number: int) -> httpx.Request:
        return client.build_request("POST", f"/api/collections/{name}/records", json=record(rows + number))

    return {
        "list of 30, the first": listing,
        "list of 30, anywhere": elsewhere,
        "look up, there": finding,
        "look up, not there": missing,
        "create": creating,
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address:
        login = {"identity": ROOT[0], "password": ROOT[1]}
        token = httpx.post(f"{address}/api/collections/_superusers/auth-with-password", json=login).json()["token"]
        with httpx.Client(base_url=address, headers={"Authorization": token}) as client:
            settings = {"batch": {"enabled": True, "maxRequests": MANY, "timeout": 60}}
            client.patch("/api/settings", json=settings).raise_for_status()
            for name in ("plain", "sealed"):
                began = time.perf_counter()
                furnish(client, name, given.rows, encrypted=name == "sealed")
                print(f"{name}: {given.rows:,} records in {time.perf_counter() - began:.1f} s")
            report(client, given)
        measure_bytes(Path(folder))


def report(client: httpx.Client, given: argparse.Namespace) -> None:
    """Print the table."""
    print(f"load of the machine: {os.getloadavg()[0]:.1f}; medians of {given.requests} requests, best of rounds")
    for work, ask in works(client, given.rows, random.Random(1)).items():
        best: dict[str, float] = {}
        for _ in range(given.rounds):
            for name in ("plain", "sealed"):
                found = median(client, given.requests, lambda number, name=name, ask=ask: ask(name, number))
                best[name] = min(found, best.get(name, found))
        more = (best["sealed"] / best["plain"] - 1) * 100
        print(f"{work:24} plain {best['plain']:8.0f} us   encrypted {best['sealed']:8.0f} us   {more:+6.1f} %")


def measure_bytes(folder: Path) -> None:
    """Print how large a value is, in clear and encrypted."""
    import apsw  # noqa: PLC0415 - after the server has ended

    connection = apsw.Connection(str(folder / "data.db"))
    columns = [row[1] for row in connection.execute("PRAGMA table_info(sealed)")]
    for name in columns:
        if "~" in name:
            length = connection.execute(f'SELECT avg(length("{name}")) FROM sealed').fetchone()[0]
            print(json.dumps({"column": name, "bytes a value": round(length, 1)}))
    for name in ("mail", "phone", "body"):
        length = connection.execute(f'SELECT avg(length("{name}")) FROM plain').fetchone()[0]
        print(json.dumps({"in clear": name, "bytes a value": round(length, 1)}))


if __name__ == "__main__":
    main()
