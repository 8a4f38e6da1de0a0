"""Does one slow query hold up everyone? The 99th percentile of view, alone and beside slow lists.

    python benchmarks/tail.py [--server undercroft] [--clients 4] [--seconds 10]

The slow list scans the articles with so many conditions that it takes over a second.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
import urllib.parse

from servers import Server, all_servers
from works import RECORDS, WORKS, Load, run_work
from world import World, make_world


def main() -> None:
    options = parse_options()
    world = make_world(options.records)
    server = all_servers()[options.server]
    try:
        server.prepare(world)
        server.start()
        server.fill(world)
        slow = slow_path(server)
        alone = view(server, world, options)
        beside, lists = view_beside(server, world, options, slow)
        ratio = beside.p99_milliseconds / alone.p99_milliseconds
        print(f"view alone              p99 {alone.p99_milliseconds:7.1f} ms, {alone.per_second:.0f}/s")
        print(f"view beside slow lists  p99 {beside.p99_milliseconds:7.1f} ms, {beside.per_second:.0f}/s")
        print(f"ratio {ratio:.2f}; {options.clients} clients got {lists} slow lists meanwhile")
    finally:
        server.stop()


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="undercroft")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--connections", type=int, default=8, help="connections that view")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--records", type=int, default=150_000)
    return parser.parse_args()


def slow_path(server: Server) -> str:
    """The path of a list that takes over a second on this machine."""
    for conditions in (20, 40, 80, 120, 150):
        words = "||".join(f'body~"%r%e%zq{n}%"' for n in range(conditions))
        path = f"{RECORDS}?{urllib.parse.urlencode({'filter': words, 'skipTotal': 1})}"
        began = time.perf_counter()
        server.call("GET", path)
        taken = time.perf_counter() - began
        if taken > 1:
            print(f"the slow list has {conditions} conditions and takes {taken:.2f} s alone")
            return path
    sys.exit("no list takes over a second on this machine; raise --records")


def view(server: Server, world: World, options: argparse.Namespace) -> Load:
    return run_work(WORKS["view"], server, world, options.seconds, options.connections)


def view_beside(server: Server, world: World, options: argparse.Namespace, slow: str) -> tuple[Load, int]:
    """The same load while clients ask for the slow list over and over; how many they got."""
    stop = threading.Event()
    answered: list[int] = []

    def ask() -> None:
        while not stop.is_set():
            server.call("GET", slow)
            answered.append(1)

    clients = [threading.Thread(target=ask, daemon=True) for _ in range(options.clients)]
    for client in clients:
        client.start()
    time.sleep(1)
    load = view(server, world, options)
    stop.set()
    for client in clients:
        client.join(60)
    return load, len(answered)


if __name__ == "__main__":
    main()
