"""A few processes that make thumbs: started when there is work, replaced when one of them fails."""

from __future__ import annotations

import asyncio
import os
import sys
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
    """How many seconds a job may take, and how long a process waits for the next one before it ends."""

    job: float = 20.0
    idle: float = 60.0


class ThumbPool:
    """Processes that make thumbs, one for each thread that waits for one.

    A process that is idle for a while ends by itself; the next job starts another.
    """

    def __init__(self, workers: int = 0, patience: Patience = Patience()) -> None:
        count = workers or min(_MOST_WORKERS, os.cpu_count() or 1)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="thumbs")
        self._patience = patience
        self._lock = Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
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
        for worker in self._idle:
            worker.kill()
            worker.end()

    def _run(self, job: Job) -> Answer:
        while True:
            worker = self._take()
            answer = worker.ask(job)
            if answer is not None:
                self._give_back(worker)
                return answer
            self._drop(worker)
            code = worker.end()
            if code != 0 or not worker.answered:
                return Answer(f"The process that should make it ended with {code}.")
            # It was about to end for want of work when the job came.

    def _take(self) -> _Worker:
        with self._lock:
            if self._is_closed:
                raise OSError("The server is stopping.")
            worker = self._find_idle() or _Worker(self._patience)
            self._busy.add(worker)
            return worker

    def _find_idle(self) -> _Worker | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
            worker.end()
        return None

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
            self._idle.append(worker)

    def _drop(self, worker: _Worker) -> None:
        with self._lock:
            self._busy.discard(worker)


class _Worker:
    """One process. It sees nothing of the server's environment, where secrets may be."""

    def __init__(self, patience: Patience) -> None:
        self.answered = 0
        self._seconds = patience.job
        known = {name: value for name in _ENVIRONMENT if (value := os.environ.get(name))}
        self._process = Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-W", "ignore", "-m", "undercroft.files.thumb_worker", str(patience.idle)],
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
            answer = self._exchange(job)
        finally:
            clock.cancel()
        self.answered += answer is not None
        return answer

    def end(self) -> int:
        """End the process, if it has not ended: how it did."""
        try:
            code = self._process.wait(_PATIENCE)
        except TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._close_pipes()
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
