"""Letting the thread that answers requests go first."""

from __future__ import annotations

import os
import sys
import threading
from typing import Final

_NICENESS: Final = 19


def step_back() -> None:
    """Give this thread a lower priority than the others, where a thread can have one of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def spare_cores() -> int:
    """All cores but the one that answers requests; at least one."""
    return max(1, (os.cpu_count() or 1) - 1)
