"""A process made by fork: everything is imported already, so it serves a moment later."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable

import click

from undercroft.cli.exits import exit_code, told_of
from undercroft.errors import Problem

_FAULT = 70  # EX_SOFTWARE of sysexits.h


def fork(work: Callable[[], int]) -> int:
    """The id of a new process that does some work and ends with the code that it returns.

    Fork only while there are no threads and no event loop.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _do(work)
    return pid


def _do(work: Callable[[], int]) -> None:
    code = _FAULT
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all of us; the parent decides
        code = _run(work)
    except BaseException:  # noqa: BLE001 - nothing may return into what the parent was doing
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(work: Callable[[], int]) -> int:
    try:
        return work()
    except Problem as problem:
        click.echo(f"undercroft: {told_of(problem)}", err=True)
        return exit_code(problem)
