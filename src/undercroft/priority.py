"""Letting the thread that answers requests go first."""

from __future__ import annotations

import os
import platform
import struct
import sys
import threading
from contextlib import suppress
from typing import Final

_NICENESS: Final = 19
_SLICE: Final = 100_000  # nanoseconds, the shortest that Linux takes
_SCHED_SETATTR: Final = {"x86_64": 314, "aarch64": 274}
_SCHED_ATTR: Final = struct.Struct("=IIQiIQQQ")
"""The first form of Linux's `sched_attr`: size, policy, flags, niceness, priority, runtime, deadline, period."""
_KEEP_POLICY: Final = 8


def step_back() -> None:
    """Give this thread a lower priority than the others, where a thread can have one of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def give_way() -> None:
    """Step back, and give the core back at once when another wants it: for threads that seldom hold the interpreter.

    One that is stopped while it holds that holds up all others.
    """
    step_back()
    if sys.platform == "linux":
        _shorten_slice(threading.get_native_id())


def spare_cores() -> int:
    """All cores but the one that answers requests; at least one."""
    return max(1, (os.cpu_count() or 1) - 1)


def _shorten_slice(thread: int) -> None:
    """Have a thread asked often whether another wants its core; where that cannot be, it stays as it is.

    However low its priority, it would otherwise keep the core for milliseconds, in which a request that has just
    come waits. Linux has taken `sched_runtime` for the length of a slice since 6.12 (commit 857b158dc5e8).
    """
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None or sys.maxsize < 2**32:
        return
    wish = _SCHED_ATTR.pack(_SCHED_ATTR.size, 0, _KEEP_POLICY, _NICENESS, 0, _SLICE, 0, 0)
    with suppress(ImportError, OSError, AttributeError):  # a Python without ctypes, or linked statically
        from ctypes import CDLL  # noqa: PLC0415 - likewise

        CDLL(None).syscall(number, thread, wish, 0)
