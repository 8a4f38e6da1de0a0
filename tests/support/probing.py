"""How long a small request takes, again and again: `python probing.py HOST:PORT` until its standard input ends.

A program of its own, so that what else the test does in Python does not count. Prints seconds, a line each.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from threading import Thread


@contextmanager
def probed(address: str) -> Iterator[list[float]]:
    """What the requests took that were made while the block lasted, known at its end."""
    times: list[float] = []
    with subprocess.Popen([sys.executable, __file__, address], stdin=-1, stdout=-1, text=True) as process:
        yield times
        told, _ = process.communicate()
    assert process.returncode == 0
    times += [float(line) for line in told.split()]


def main(address: str) -> None:
    waiting = Thread(target=sys.stdin.read)
    waiting.start()
    times, connection = [], HTTPConnection(address, timeout=10)
    while waiting.is_alive():
        began = time.perf_counter()
        connection.request("GET", "/api/health")
        answer = connection.getresponse()
        answer.read()
        times.append(time.perf_counter() - began)
        assert answer.status == 200
        time.sleep(0.002)
    connection.close()
    print(*times, sep="\n")  # noqa: T201 - what this program is for


if __name__ == "__main__":
    main(*sys.argv[1:])
