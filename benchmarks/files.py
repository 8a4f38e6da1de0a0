"""One large file up and down, and one small file many times, on Undercroft and PocketBase in one run.

    python benchmarks/files.py [--mebibytes 2048] [--rounds 3] [--seconds 3]

Undercroft runs under `ulimit -v`, with less address space than would be needed to
hold the file. The rounds alternate between the servers; the figures are medians.
Growth is the most memory that all processes of a server had while they worked,
less what they had before. Needs `curl` and `wrk`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from servers import OPEN, ROOT, Server, WireServer
from works import Work, run_work
from world import World

MIB = 1 << 20
PROGRAMS = Path(sys.executable).parent
SMALL = 10 * 1024
NOTHING = World([], [], [], [])


class FileServer(WireServer):
    """A server with a shelf for files; `limit` is the address space that it may have, in bytes."""

    def __init__(self, name: str, limit: int = 0) -> None:
        super().__init__(name, str(PROGRAMS / name))
        self.limit = limit

    def command(self) -> list[str]:
        if not self.limit:
            return super().command()
        return ["bash", "-c", f'ulimit -v {self.limit // 1024} && exec "$@"', "-", *super().command()]

    def fill(self, world: World) -> None:
        field = {"name": "file", "type": "file", "maxSize": 1 << 33}
        self.call(
            "POST", "/api/collections", {"name": "shelf", "fields": [field], **OPEN}, self._sign_in("_superusers", ROOT)
        )

    def upload(self, source: Path) -> tuple[str, float]:
        """Where a file is served that was sent as a form, and how many bytes a second it took."""
        printed = curl("-F", f"file=@{source}", "-w", "\n%{speed_upload}", f"{self.base}/api/collections/shelf/records")
        answer, _, speed = printed.rpartition("\n")
        record = json.loads(answer)
        return f"/api/files/shelf/{record['id']}/{record['file']}", float(speed)

    def download(self, path: str, *options: str) -> float:
        """How many bytes of a file came in a second."""
        return float(curl("-o", "/dev/null", "-w", "%{speed_download}", *options, f"{self.base}{path}"))

    def drop(self, path: str) -> None:
        """Delete a record with its file."""
        self.call("DELETE", f"/api/collections/shelf/records/{path.split('/')[4]}")


@dataclass
class Figures:
    """What the rounds measured of one kind of work: megabytes a second, and megabytes of growth."""

    speeds: list[float]
    growths: list[float]

    def __str__(self) -> str:
        return f"{statistics.median(self.speeds) / 1e6:7,.0f} MB/s {max(self.growths):+6.0f} MB"


def main() -> None:
    options = parse_options()
    for program in ("curl", "wrk"):
        if not shutil.which(program):
            sys.exit(f"{program} is needed: apt install {program}")
    servers = [FileServer("pocketbase"), FileServer("undercroft", options.limit * MIB)]
    with tempfile.TemporaryDirectory(prefix="bench-files-") as folder:
        try:
            for server in servers:
                server.prepare(NOTHING)
                server.start()
                server.fill(NOTHING)
            print(f"undercroft has {options.limit:,} MiB of address space; the file has {options.mebibytes:,} MiB\n")
            print(f"{'':24}" + "".join(f"| {server.name:^24}" for server in servers))
            compare_large(servers, Path(folder), options)
            compare_small(servers, Path(folder), options)
        finally:
            for server in servers:
                server.stop()


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, default=2048, help="size of the large file")
    parser.add_argument("--limit", type=int, default=1536, help="MiB of address space that undercroft may have")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="length of one run with the small file")
    parser.add_argument("--connections", type=int, default=32)
    return parser.parse_args()


def compare_large(servers: list[FileServer], folder: Path, options: argparse.Namespace) -> None:
    """One large file up, down, and down from its second byte."""
    source, digest = make_file(folder / "large.bin", options.mebibytes)
    works = ("up", "down", "down by range")
    found = {(work, server.name): Figures([], []) for work in works for server in servers}
    for _ in range(options.rounds):
        for server in servers:
            with growth(server, found["up", server.name]):
                path, speed = server.upload(source)
            found["up", server.name].speeds.append(speed)
            for work, asked in (("down", ()), ("down by range", ("-r", "1-"))):
                with growth(server, found[work, server.name]):
                    found[work, server.name].speeds.append(server.download(path, *asked))
            check(server, path, digest)
            server.drop(path)
    for work in works:
        row = "".join(f"| {found[work, server.name]!s:^24}" for server in servers)
        print(f"{f'{options.mebibytes:,} MiB {work}':24}{row}", flush=True)


def compare_small(servers: list[FileServer], folder: Path, options: argparse.Namespace) -> None:
    """A small file, as often as it goes."""
    source = folder / "small.bin"
    source.write_bytes(Random(1).randbytes(SMALL))
    loads = {}
    for server in servers:
        work = Work("small", server.upload(source)[0])
        runs = [run_work(work, server, NOTHING, options.seconds, options.connections) for _ in range(options.rounds)]
        loads[server.name] = sorted(runs, key=lambda load: load.per_second)[len(runs) // 2]
    row = "".join(f"| {f'{load.per_second:,.0f}/s {load.cpu_microseconds:.0f} µs':^24}" for load in loads.values())
    print(f"{'10 KiB view':24}{row}")


def make_file(path: Path, mebibytes: int) -> tuple[Path, str]:
    """A file that does not repeat itself, and its SHA-256."""
    random, digest = Random(2), hashlib.sha256()
    with path.open("wb") as target:
        for _ in range(mebibytes):
            piece = random.randbytes(MIB)
            target.write(piece)
            digest.update(piece)
    return path, digest.hexdigest()


def check(server: FileServer, path: str, digest: str) -> None:
    """End the run when what comes back is not what was sent."""
    command = ["bash", "-c", f"curl -sSf {server.base}{path} | sha256sum"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
    if found != digest:
        sys.exit(f"{server.name} gave back another file than it was sent: {found} in place of {digest}")


@contextmanager
def growth(server: Server, figures: Figures) -> Iterator[None]:
    """Note by how much the memory of a server grows at most."""
    before, most, done = server.memory(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            most.append(server.memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        figures.growths.append(max(most) - before)


def curl(*arguments: str) -> str:
    """What curl prints; ends the run when it fails."""
    done = subprocess.run(["curl", "-sSf", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"curl {' '.join(arguments)}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
