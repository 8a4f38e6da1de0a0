"""What can be set about a SQLite engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class SqliteOptions:
    """Limits and sizes of one engine; times in seconds.

    `step_budget` is how long a read may hold the event loop before it moves to a
    thread. A batch of writes ends at `batch_count` operations or after
    `batch_time`, so that the first of many does not wait for the last.
    """

    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    busy_timeout: float = 5.0
    cache_kib: int = 16_384
    statement_cache: int = 512
    step_budget: float = 0.002
    slow_memory: float = 1.0
    reader_threads: int = 4
    read_deadline: float = 30.0
    write_deadline: float = 30.0
    write_queue: int = 1000
    batch_count: int = 256
    batch_time: float = 0.02
    wal_pages: int = 1000
    wal_bytes: int = 64 * 1024 * 1024
    vfs: str | None = None
