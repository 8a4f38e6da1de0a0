"""Same work, several servers, one run.

    python benchmarks/compare.py [--only pocketbase,undercroft] [--rounds 3] [--seconds 3]

Every server is started fresh and filled with the same data. The rounds of a work
alternate between the servers, so that a machine that slows down slows all alike;
the figures are medians. CPU is that of all processes of a server. Needs `wrk`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from pathlib import Path

from servers import Server, all_servers
from works import WORKS, Load, Work, run_work
from world import World, make_world


def main() -> None:
    options = parse_options()
    if not shutil.which("wrk"):
        sys.exit("The load comes from wrk: apt install wrk")
    world = make_world(options.records)
    chosen = {name: server for name, server in all_servers().items() if name in options.only.split(",")}
    try:
        result = {name: bring_up(server, world) for name, server in chosen.items()}
        print(f"\n{'':18}" + "".join(f"| {name:^29}" for name in chosen))
        for work in [work for work in WORKS.values() if work.name in options.works.split(",")]:
            loads = measure(work, chosen, world, options)
            print(line(work, loads), flush=True)
            for name, load in loads.items():
                result[name][work.name] = vars(load)
        for name, server in chosen.items():
            result[name]["memory after load (MB)"] = server.memory()
            print(f"{name}: {server.memory():.0f} MB after the load")
    finally:
        for server in chosen.values():
            server.stop()
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="pocketbase,fastapi,bare,undercroft", help="servers, comma separated")
    parser.add_argument("--works", default=",".join(WORKS), help="works, comma separated")
    parser.add_argument("--records", type=int, default=10_000, help="articles to fill in")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="length of one run")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


def bring_up(server: Server, world: World) -> dict[str, object]:
    """Start and fill a server; what that took."""
    server.prepare(world)
    started = server.start()
    idle = server.memory()
    began = time.perf_counter()
    server.fill(world)
    filled = time.perf_counter() - began
    print(f"{server.name}: up in {started:.2f} s, {idle:.0f} MB idle, filled in {filled:.1f} s", flush=True)
    return {"start (s)": started, "memory idle (MB)": idle, "fill (s)": filled}


def measure(work: Work, servers: dict[str, Server], world: World, options: argparse.Namespace) -> dict[str, Load]:
    """The median of each figure, rounds alternating between the servers."""
    runs: dict[str, list[Load]] = {name: [] for name in servers}
    for _ in range(options.rounds):
        for name, server in servers.items():
            runs[name].append(run_work(work, server, world, options.seconds, options.connections))
    return {name: median(loads) for name, loads in runs.items()}


def median(loads: list[Load]) -> Load:
    """The middle of each figure by itself; failures are added up."""
    middle = [
        statistics.median(getattr(load, figure) for load in loads)
        for figure in ("per_second", "cpu_microseconds", "p99_milliseconds")
    ]
    return Load(*middle, failed=sum(load.failed for load in loads))


def line(work: Work, loads: dict[str, Load]) -> str:
    """One row of the table: requests a second, CPU each, 99th percentile."""
    cells = [
        f"| {load.per_second:7.0f}/s {load.cpu_microseconds:6.0f} µs {load.p99_milliseconds:6.1f} ms"
        + (f" {load.failed} FAILED" if load.failed else "")
        for load in loads.values()
    ]
    return f"{work.name:18}" + "".join(cells)


if __name__ == "__main__":
    main()
