"""What can be set about a SQLite engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from undercroft.priority import spare_cores


@dataclass(frozen=True, slots=True)
class SqliteOptions:
    """Limits and sizes of one engine; times in seconds.

    `step_budget` is how long a read may hold the event loop before it moves to a
    thread, `quick_steps` how many of SQLite's steps it may take on a quick thread before
    it moves to a patient one; few threads, because each takes the interpreter's lock
    from the event loop for every row. What was slow is known as such for
    `slow_memory`. A batch of writes ends at `batch_count` operations or after
    `batch_time`, so that the first of many does not wait for the last. A file larger than
    `vacuum_bytes` is not written anew as a whole, since all writes wait for that.
    """

    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    busy_timeout: float = 5.0
    cache_kib: int = 16_384
    statement_cache: int = 512
    step_budget: float = 0.002
    slow_memory: float = 1.0
    quick_threads: int = 1
    quick_steps: int = 1_000_000
    patient_threads: int = field(default_factory=spare_cores)
    read_deadline: float = 30.0
    write_deadline: float = 30.0
    write_queue: int = 1000
    batch_count: int = 256
    batch_time: float = 0.02
    wal_pages: int = 1000
    wal_bytes: int = 64 * 1024 * 1024
    vacuum_bytes: int = 256 * 1024 * 1024
    vfs: str | None = None
