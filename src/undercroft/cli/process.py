"""One process that answers: granian in this process, under uvloop, until a signal ends it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any, Final

if sys.platform != "win32":
    import resource

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]  # there, though not listed
from granian.server.embed import Server

from undercroft.app import App
from undercroft.cli.announce import announce, announce_waiting
from undercroft.cli.listen import BACKLOG, CannotListen
from undercroft.cli.roots import root_of
from undercroft.cli.stopping import Stopping, on_parent, on_signals
from undercroft.config import Address, Config
from undercroft.pages.options import SiteOptions
from undercroft.telemetry.console import Console

DRAIN_SECONDS: Final = 30
_PARTING_SECONDS: Final = 1.0  # for the connections of a worker that ends alone to be used once more, and closed
_OPEN_STREAMS: Final = 10_000  # granian's backpressure counts open streams, of which live updates hold many
_MILLISECONDS: Final = 10_000  # that a client has for its request line and headers


class _Server(Server):
    """Granian on a socket that listens already, instead of one of its own."""

    def __init__(self, app: App, address: Address, listener: socket.socket) -> None:
        super().__init__(
            app,
            address=address.host,
            port=address.port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.auto,
            http1_settings=HTTP1Settings(header_read_timeout=_MILLISECONDS),
            websockets=False,
            backlog=BACKLOG,
            backpressure=_OPEN_STREAMS,
            log_enabled=False,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        holder: Any = SocketHolder  # its types do not say that it can be made
        # Granian closes what it listens on. With a number of its own it cannot close what has got that of ours since,
        # nor ask for connections, for ever, on one that is closed.
        self._ssp, self._shd = None, holder(os.dup(self._listener.fileno()), False, BACKLOG)


def run_process(config: Config, address: Address, listener: socket.socket, parent: int | None = None) -> int:
    """Serve until SIGINT or SIGTERM; the exit code. Raises `StartRefused`.

    A worker has a `parent`: the end of a pipe, and it ends when that closes.
    """
    _leave_no_dumps()
    level = logging.INFO if config.dev else logging.WARNING
    console = Console(level=level, has_access_lines=config.dev or config.access_log)
    console.start()
    try:
        return uvloop.run(_serve(config, address, listener, parent))
    finally:
        console.stop()


def _leave_no_dumps() -> None:
    """Have the system write no memory to disk, should this process crash: keys and secrets are in it."""
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


async def _serve(config: Config, address: Address, listener: socket.socket, parent: int | None) -> int:
    app = App(
        Path(config.dir),
        database=config.database,
        files=config.files,
        origins=config.origins,
        shared=parent is not None,
        dev_url=address.url if config.dev else "",
        site=SiteOptions.of(config),
        hooks=Path(config.hooks),
        hook_seconds=config.hook_seconds,
        outgoing_networks=config.outgoing_networks,
        rate_limits=config.rate_limits,
        root=root_of(config),
        breached_passwords=config.breached_passwords,
    )
    await app.start()
    try:
        server = _Server(app, address, listener)
        stopping = on_signals() if parent is None else on_parent(parent)
        settling = asyncio.create_task(_settle(app, config, address, is_first=parent is None))
        if app.is_waiting:
            announce_waiting(address)
        else:
            await settling
        serving = asyncio.create_task(server.serve())
        try:
            await _until_stopped(address, serving, stopping, settling)
            app.part()
            if stopping.result() == "alone":
                await asyncio.sleep(_PARTING_SECONDS)
        finally:
            server.stop()  # type: ignore[no-untyped-call]  # granian writes no types here
            listener.close()
            await asyncio.wait({serving}, timeout=DRAIN_SECONDS)
        return 0
    finally:
        await app.stop()


async def _settle(app: App, config: Config, address: Address, *, is_first: bool) -> None:
    """What is done once the app is open, which may take until its root key is there."""
    await app.opened()
    if app.code.is_there:
        app.code.watch()
    gc.freeze()  # what is there now stays, so no collection needs to look at it again
    if is_first:
        await announce(app.backend, address, SiteOptions.of(config))


async def _until_stopped(
    address: Address, serving: asyncio.Task[None], stopping: Stopping, settling: asyncio.Task[None]
) -> None:
    """Return when the server is to stop. Raises `CannotListen`, and `StartRefused` when the root key is none."""
    ends: set[asyncio.Future[Any]] = {serving, stopping}
    await asyncio.wait({*ends, settling}, return_when=asyncio.FIRST_COMPLETED)
    if settling.done():
        settling.result()
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    else:
        settling.cancel()
    if not stopping.done():
        raise CannotListen(address, _reason(serving))


def _reason(serving: asyncio.Task[None]) -> str:
    """Why the server ended by itself: the first line of what it says."""
    return (str(serving.exception() or "").splitlines() or ["the server ended"])[0]
