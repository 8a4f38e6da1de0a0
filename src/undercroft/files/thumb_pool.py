"""A few processes that make thumbs: started when there is work, replaced when one of them fails."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from subprocess import PIPE, Popen, TimeoutExpired
from threading import Lock, Timer
from typing import IO, Final

from undercroft.files.thumb_jobs import Answer, Job, encode_frame, read_answer

_MOST_WORKERS: Final = 2
_PATIENCE: Final = 1.0
_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds a job may take, and how many a process may wait for the next one."""

    job: float = 20.0
    idle: float = 60.0


class ThumbPool:
    """Processes that make thumbs, one for each thread that waits for one; idle ones are ended."""

    def __init__(self, workers: int = 0, patience: Patience = Patience()) -> None:
        count = workers or min(_MOST_WORKERS, os.cpu_count() or 1)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="thumbs")
        self._patience = patience
        self._lock = Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._is_clock_set = False
        self._is_closed = False

    async def run(self, job: Job) -> Answer:
        """The answer to a job. Raises `OSError` when no process can be started."""
        return await asyncio.wrap_future(self._threads.submit(self._run, job))

    def close(self) -> None:
        """End all processes; who waits for an answer gets a refusal."""
        with self._lock:
            self._is_closed = True
            busy = list(self._busy)
        for worker in busy:
            worker.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def _run(self, job: Job) -> Answer:
        worker = self._take()
        answer = worker.ask(job)
        if answer is None:
            self._drop(worker)
            return Answer(f"The process that should make it ended with {worker.end()}.")
        self._give_back(worker)
        return answer

    def _take(self) -> _Worker:
        with self._lock:
            if self._is_closed:
                raise OSError("The server is stopping.")
            worker = self._find_idle() or _Worker(self._patience.job)
            self._busy.add(worker)
            return worker

    def _find_idle(self) -> _Worker | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
            worker.end()
        return None

    def _drop(self, worker: _Worker) -> None:
        with self._lock:
            self._busy.discard(worker)

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
            self._idle.append(worker)
            worker.idle_since = time.monotonic()
            if not self._is_clock_set:
                self._set_clock()

    def _set_clock(self) -> None:
        self._is_clock_set = True
        clock = Timer(self._patience.idle, self._end_idle)
        clock.daemon = True
        clock.start()

    def _end_idle(self) -> None:
        """End the processes that have waited for work long enough, and look again later for the rest."""
        before = time.monotonic() - self._patience.idle
        with self._lock:
            ended = [worker for worker in self._idle if worker.idle_since <= before]
            self._idle = [worker for worker in self._idle if worker.idle_since > before]
            self._is_clock_set = False
            if self._idle or self._busy:
                self._set_clock()
        for worker in ended:
            worker.end()


class _Worker:
    """One process. It sees nothing of the server's environment, where secrets may be."""

    def __init__(self, seconds: float) -> None:
        self.idle_since = 0.0
        self._seconds = seconds
        known = {name: value for name in _ENVIRONMENT if (value := os.environ.get(name))}
        self._process = Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", "undercroft.files.thumb_worker"],
            stdin=PIPE,
            stdout=PIPE,
            env=known | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # Ctrl-C is for the server, which then ends this
        )

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    def ask(self, job: Job) -> Answer | None:
        """The answer to a job; None when the process ends without one, or is ended for taking too long."""
        clock = Timer(self._seconds, self._process.kill)
        clock.start()
        try:
            return self._exchange(job)
        finally:
            clock.cancel()

    def end(self) -> int:
        """Let the process end, and end it when it does not: how it did."""
        self._close_pipes()
        try:
            code = self._process.wait(_PATIENCE)
        except TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return code

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()

    def _exchange(self, job: Job) -> Answer | None:
        jobs, answers = self._pipes()
        try:
            jobs.write(encode_frame(job))
            jobs.flush()
        except BrokenPipeError:
            return None
        return read_answer(answers)

    def _close_pipes(self) -> None:
        jobs, answers = self._pipes()
        answers.close()
        with suppress(BrokenPipeError):
            jobs.close()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        jobs, answers = self._process.stdin, self._process.stdout
        if jobs is None or answers is None:
            raise OSError("The process has no pipes.")
        return jobs, answers
