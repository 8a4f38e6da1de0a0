"""Threads that let others go first."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import struct
import sys
import threading

import pytest

from undercroft.priority import give_way

SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}.get(platform.machine())
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or SCHED_GETATTR is None, reason="elsewhere no thread has a priority of its own"
)


def standing() -> tuple[int, int]:
    """Niceness of this thread, and for how many nanoseconds it has its core at a time; 0 where Linux does not say."""
    answer = ctypes.create_string_buffer(48)
    assert ctypes.CDLL(None).syscall(SCHED_GETATTR, 0, answer, len(answer), 0) == 0
    _, _, _, niceness, _, runtime, _, _ = struct.unpack("=IIQiIQQQ", answer.raw)
    return niceness, runtime


def test_a_thread_gives_way_alone():
    """It is as nice as can be, gives its core back at once, and the others stay as they are."""
    before, told = standing(), []

    def work() -> None:
        give_way()
        told.append(standing())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    ((niceness, runtime),) = told
    assert niceness == 19
    assert runtime == (100_000 if knows_of_slices() else 0)
    assert standing() == before


def knows_of_slices() -> bool:
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return found is not None and (int(found[1]), int(found[2])) >= (6, 12)
