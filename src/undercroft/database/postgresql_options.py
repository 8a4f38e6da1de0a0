"""What can be set about a PostgreSQL engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """Limits and sizes of one engine; times in seconds.

    `pool_wait` is how long a request may wait for a connection and `lock_wait` how long
    a write waits for others, before they are told to come back later. A server that does
    not even say that a statement was stopped is given up after `silence`.
    """

    pool_size: int = 10
    pool_wait: float = 5.0
    pool_queue: int = 1000
    connect_timeout: float = 2.5
    read_deadline: float = 30.0
    write_deadline: float = 30.0
    lock_wait: float = 10.0
    silence: float = 40.0
    write_retries: int = 3
    statement_cache: int = 512
