"""Several processes that share the port and the data: a parent that holds both and keeps them alive.

The parent opens no database and runs no threads and no event loop, so that it can fork
at any time. It holds one end of a pipe; when that end closes, because the parent stops
or was killed, the workers end too.

Each worker inherits a socket of its own, for the kernel shares out connections among
sockets well and among processes on one socket badly. The parent keeps it open, so who
connects while a worker is replaced waits for the next one. Only when one dies again
and again is its socket closed for the time it has to wait, and the others take all.
"""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from undercroft.app import close_backend, open_backend
from undercroft.cli.announce import announce
from undercroft.cli.fork import fork
from undercroft.cli.listen import listen_beside
from undercroft.cli.process import DRAIN_SECONDS, run_process
from undercroft.cli.roots import root_of
from undercroft.cli.stopping import INTERRUPTED
from undercroft.config import Address, Config
from undercroft.database.lock import DataLock, lock_directory
from undercroft.pages.options import SiteOptions

_SHORT_LIFE: Final = 2.0  # seconds; a worker that dies sooner, and not for the first time, is replaced with a pause
_LONGEST_PAUSE: Final = 10.0


def run_workers(config: Config, address: Address) -> int:
    """Serve with several processes until SIGINT or SIGTERM; the exit code. Raises `StartRefused`."""
    with lock_directory(Path(config.dir), os.environ) as lock:
        gc.freeze()  # what is there now is shared with the workers for as long as nobody touches it
        _, status = os.waitpid(fork(lambda: asyncio.run(_open_once(config, address))), 0)
        code = os.waitstatus_to_exitcode(status)
        return code or Supervisor(config, address, lock).run()


async def _open_once(config: Config, address: Address) -> int:
    """Bring the data to this program's format, and say where the server is."""
    backend = await open_backend(
        Path(config.dir), config.database, root=root_of(config), breached=config.breached_passwords
    )
    try:
        if not backend.engine.is_networked:
            await backend.filing.recover()
        await announce(backend, address, SiteOptions.of(config))
    finally:
        await close_backend(backend)
    return 0


@dataclass(slots=True)
class _Place:
    """The place of one worker, its socket, and who has it now; 0 is nobody."""

    listener: socket.socket | None = None
    pid: int = 0
    since: float = 0.0
    due: float = 0.0
    short_lives: int = 0


class Supervisor:
    """Keeps a number of workers running, and ends them together."""

    def __init__(self, config: Config, address: Address, lock: DataLock) -> None:
        self._config = config
        self._address = address
        self._lock = lock
        self._places = [_Place() for _ in range(config.workers)]
        self._their_end, self._our_end = os.pipe()
        self._wakeup, self._signals = socket.socketpair()
        self._stopped_at: float | None = None
        self._code = 0

    def run(self) -> int:
        """Run until a signal; 0 once all workers have ended in order."""
        self._signals.setblocking(False)
        signal.set_wakeup_fd(self._signals.fileno())
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)  # the wake-up descriptor tells of it
        while self._stopped_at is None or any(place.pid for place in self._places):
            self._fill()
            self._wait()
            self._reap()
        return self._code

    def _fill(self) -> None:
        """Give each empty place that is due a new worker; past the time to end, end those that are left."""
        if self._stopped_at is None:
            for place in self._places:
                if not place.pid and time.monotonic() >= place.due:
                    self._put_worker(place)
        elif time.monotonic() > self._stopped_at + DRAIN_SECONDS + 5:
            self._kill()

    def _put_worker(self, place: _Place) -> None:
        listener = place.listener = place.listener or listen_beside(self._address)
        place.pid, place.since = fork(lambda: self._work(listener)), time.monotonic()

    def _work(self, listener: socket.socket) -> int:
        """What a worker does."""
        os.close(self._our_end)
        self._wakeup.close()
        self._signals.close()
        self._lock.release()  # the parent's hold is not ended by this
        for place in self._places:
            if place.listener is not None and place.listener is not listener:
                place.listener.close()
        return run_process(self._config, self._address, listener, self._their_end)

    def _wait(self) -> None:
        """Wait for a signal, at most until the next thing is due."""
        moments = [place.due for place in self._places if not place.pid]
        if self._stopped_at is not None:
            moments = [self._stopped_at + DRAIN_SECONDS + 5.1]
        timeout = max(0.0, min(moments) - time.monotonic()) if moments else None
        if select.select([self._wakeup], [], [], timeout)[0]:
            for number in self._wakeup.recv(64):
                if number in (signal.SIGINT, signal.SIGTERM):
                    self._stop()

    def _stop(self) -> None:
        if self._stopped_at is not None:
            self._kill()
            os._exit(INTERRUPTED)
        self._stopped_at = time.monotonic()
        for place in self._places:
            _close(place)
        os.close(self._our_end)

    def _reap(self) -> None:
        """Empty the places of those who have ended."""
        for place in self._places:
            if place.pid and (ended := os.waitpid(place.pid, os.WNOHANG))[0]:
                self._bury(place, os.waitstatus_to_exitcode(ended[1]))

    def _bury(self, place: _Place, code: int) -> None:
        pid, place.pid = place.pid, 0
        if self._stopped_at is not None:
            self._code = max(self._code, code)
            return
        click.echo(f"Worker {pid} ended with code {code}; another takes its place.", err=True)
        is_crash = code != 0 and time.monotonic() - place.since < _SHORT_LIFE
        place.short_lives = place.short_lives + 1 if is_crash else 0
        if place.short_lives > 1:
            place.due = time.monotonic() + min(0.25 * 2**place.short_lives, _LONGEST_PAUSE)
            _close(place)

    def _kill(self) -> None:
        for place in self._places:
            if place.pid:
                with suppress(ProcessLookupError):
                    os.kill(place.pid, signal.SIGKILL)


def _close(place: _Place) -> None:
    if place.listener is not None:
        place.listener.close()
        place.listener = None
