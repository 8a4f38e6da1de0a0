"""Several processes that share the port and the data: a parent that holds the directory and keeps them alive."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

import click
import msgspec

from undercroft.app import close_backend, open_backend
from undercroft.cli.announce import announce
from undercroft.cli.process import DRAIN_SECONDS, INTERRUPTED
from undercroft.config import Address, Config
from undercroft.database.lock import lock_directory

_SHORT_LIFE: Final = 5.0  # seconds; a worker that dies sooner is replaced with a pause
_PAUSE: Final = 1.0


def run_workers(config: Config, address: Address) -> int:
    """Serve with several processes until SIGINT or SIGTERM; the exit code. Raises `StartRefused`."""
    with lock_directory(Path(config.dir), os.environ):
        return asyncio.run(_supervise(config, address))


async def _supervise(config: Config, address: Address) -> int:
    backend = await open_backend(Path(config.dir), config.database)
    try:
        await announce(backend, address)
    finally:
        await close_backend(backend)
    supervisor = Supervisor(config, address)
    return await supervisor.run()


class Supervisor:
    """Keeps a number of workers running, and ends them together."""

    def __init__(self, config: Config, address: Address) -> None:
        self._config = config
        self._task = msgspec.json.encode((config, address)).decode()
        self._workers: set[asyncio.subprocess.Process] = set()
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Run until a signal; 0 once all workers have ended in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        keepers = [asyncio.create_task(self._keep()) for _ in range(self._config.workers)]
        codes = await asyncio.gather(*keepers)
        return max(codes)

    async def _keep(self) -> int:
        """Run one worker, and another in its place whenever it dies; the last one's exit code."""
        while True:
            began = time.monotonic()
            worker = await self._spawn()
            code = await self._wait(worker)
            if self._stopping.is_set():
                return code
            click.echo(f"Worker {worker.pid} ended with code {code}; another takes its place.", err=True)
            if time.monotonic() - began < _SHORT_LIFE:
                await asyncio.sleep(_PAUSE)

    async def _spawn(self) -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "undercroft.cli.worker", self._task)
        worker = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
        self._workers.add(worker)
        if self._stopping.is_set():
            worker.terminate()
        return worker

    async def _wait(self, worker: asyncio.subprocess.Process) -> int:
        try:
            return await worker.wait()
        finally:
            self._workers.discard(worker)

    def _stop(self) -> None:
        if self._stopping.is_set():
            self._kill()
            os._exit(INTERRUPTED)
        self._stopping.set()
        for worker in self._workers:
            worker.terminate()
        asyncio.get_running_loop().call_later(DRAIN_SECONDS + 5, self._kill)

    def _kill(self) -> None:
        for worker in self._workers:
            worker.kill()
