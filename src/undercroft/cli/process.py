"""One process that answers: granian in this process, under uvloop, until a signal ends it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Final

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from undercroft.app import App
from undercroft.cli.announce import announce
from undercroft.cli.listen import CannotListen
from undercroft.config import Address, Config
from undercroft.telemetry.console import Console

DRAIN_SECONDS: Final = 30
INTERRUPTED: Final = 130
_BACKLOG: Final = 2048
_OPEN_STREAMS: Final = 10_000  # granian's backpressure counts open streams, of which live updates hold many
_MILLISECONDS: Final = 10_000  # that a client has for its request line and headers


def run_process(config: Config, address: Address, *, is_worker: bool = False) -> int:
    """Serve until SIGINT or SIGTERM; the exit code. Raises `StartRefused`."""
    level = logging.INFO if config.dev else logging.WARNING
    console = Console(level=level, has_access_lines=config.dev or config.access_log)
    console.start()
    try:
        return uvloop.run(_serve(config, address, is_worker=is_worker))
    finally:
        console.stop()


async def _serve(config: Config, address: Address, *, is_worker: bool) -> int:
    app = App(Path(config.dir), database=config.database, origins=config.origins, shared=is_worker)
    await app.start()
    gc.freeze()  # what is there now stays, so no collection needs to look at it again
    try:
        server = _make_server(app, address)
        stopping = _on_parent() if is_worker else _on_signals()
        if not is_worker:
            await announce(app.backend, address)
        serving = asyncio.create_task(server.serve())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            raise CannotListen(address, _reason(serving))
        server.stop()  # type: ignore[no-untyped-call]  # granian writes no types here
        await asyncio.wait({serving}, timeout=DRAIN_SECONDS)
        return 0
    finally:
        await app.stop()


def _reason(serving: asyncio.Task[None]) -> str:
    """Why the server ended by itself: the first line of what it says."""
    return (str(serving.exception() or "").splitlines() or ["the server ended"])[0]


def _make_server(app: App, address: Address) -> Server:
    return Server(
        app,
        address=address.host,
        port=address.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.auto,
        http1_settings=HTTP1Settings(header_read_timeout=_MILLISECONDS),
        websockets=False,
        backlog=_BACKLOG,
        backpressure=_OPEN_STREAMS,
        log_enabled=False,
    )


def _on_signals() -> asyncio.Future[None]:
    """A future that the first SIGINT or SIGTERM fulfils; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        if stopping.done():
            os._exit(INTERRUPTED)
        stopping.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    return stopping


def _on_parent() -> asyncio.Future[None]:
    """A future that the parent fulfils, by SIGTERM or by ending, which closes our standard input.

    SIGINT is left to the parent: a terminal sends it to all of us.
    """
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        loop.remove_reader(sys.stdin)
        if not stopping.done():
            stopping.set_result(None)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_reader(sys.stdin, stop)
    return stopping
