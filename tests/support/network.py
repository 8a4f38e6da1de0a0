"""Ports for servers that tests start."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator

# Below those that Linux gives out by itself, so that nobody gets one between our look and the server's; above 10080,
# which browsers refuse. Each process of tests has a part of its own, and begins in it where others hardly do.
_FIRST, _PART, _PARTS = 11_000, 1_250, 8


def _count_ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PARTS
    return (_FIRST + worker * _PART + number % _PART for number in itertools.count(os.getpid()))


_PORTS = _count_ports()


def free_port() -> int:
    """A port of this machine that nobody listens on, and that nobody is given before the caller listens there."""
    return next(port for port in itertools.islice(_PORTS, _PART) if is_free(port))


def is_free(port: int) -> bool:
    """Whether nobody listens on a port."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
