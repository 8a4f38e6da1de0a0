"""When a process is to end, and how: with the whole server, or alone while others go on."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Final, Literal

INTERRUPTED: Final = 130

Ending = Literal["with all", "alone"]
Stopping = asyncio.Future[Ending]


def on_signals() -> Stopping:
    """A future that the first SIGINT or SIGTERM fulfils; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    stopping: Stopping = loop.create_future()

    def stop() -> None:
        if stopping.done():
            os._exit(INTERRUPTED)
        stopping.set_result("with all")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    return stopping


def on_parent(pipe: int) -> Stopping:
    """A future that a worker's parent fulfils by closing its end of a pipe, or anybody by SIGTERM to this worker.

    SIGINT is left to the parent: a terminal sends it to all of us.
    """
    loop = asyncio.get_running_loop()
    stopping: Stopping = loop.create_future()

    def stop(ending: Ending) -> None:
        if not stopping.done():
            stopping.set_result(ending)

    def on_closed() -> None:
        loop.remove_reader(pipe)
        stop("with all")

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop.add_signal_handler(signal.SIGTERM, stop, "alone")
    loop.add_reader(pipe, on_closed)
    return stopping
