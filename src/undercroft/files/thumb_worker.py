"""A process that makes thumbs: jobs come on its standard input, answers go to its standard output.

It is there so that a hostile image meets limits that the server cannot give
itself: memory, CPU seconds, size of what it writes. It ends when the server is
gone or wants no more.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import IO, Final

from undercroft.files.thumb_image import make_thumb, prepare
from undercroft.files.thumb_jobs import Answer, Job, encode_frame, read_job

CPU_SECONDS: Final = 10

_MEMORY: Final = 512 << 20
_LARGEST_THUMB: Final = 32 << 20
_NICENESS: Final = 10


def main() -> None:
    """Make thumbs until the server wants no more."""
    prepare()
    os.nice(_NICENESS)
    _limit_size()
    work(sys.stdin.buffer, sys.stdout.buffer)


def work(jobs: IO[bytes], answers: IO[bytes]) -> None:
    """Answer jobs, until the pipe is closed."""
    while job := read_job(jobs):
        _limit_cpu()
        answers.write(encode_frame(_answer(job)))
        answers.flush()


def _answer(job: Job) -> Answer:
    try:
        make_thumb(job)
    except Exception as error:  # noqa: BLE001 - decoders raise anything when they read nonsense
        return Answer(f"{type(error).__name__}: {error}"[:500])
    return Answer()


def _limit_size() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_THUMB, _LARGEST_THUMB))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        memory = pages * resource.getpagesize() + _MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _limit_cpu() -> None:
    """Let the kernel end this process when the next job takes too long."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + CPU_SECONDS, most))


if __name__ == "__main__":
    main()
