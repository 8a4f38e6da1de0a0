"""Connections to one database file, each set up for its work."""

from __future__ import annotations

from pathlib import Path

import apsw

from undercroft.database.sqlite_options import SqliteOptions


def open_writer(path: Path, options: SqliteOptions) -> apsw.Connection:
    """The connection that writes: WAL, durable commits, and a log that does not grow without end."""
    connection = _open(path, options, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", options.synchronous)
    connection.pragma("foreign_keys", 1)
    # What is deleted or replaced is gone, not only marked as free: no value outlives its record, or its encryption.
    connection.pragma("secure_delete", 1)
    connection.pragma("journal_size_limit", options.wal_bytes)
    connection.wal_autocheckpoint(options.wal_pages)
    return connection


def open_loop_reader(path: Path, options: SqliteOptions) -> apsw.Connection:
    """A connection for the event loop: it never waits for a lock."""
    connection = open_thread_reader(path, options)
    connection.set_busy_timeout(0)
    return connection


def open_thread_reader(path: Path, options: SqliteOptions) -> apsw.Connection:
    """A connection for a reader thread, which may wait."""
    connection = _open(path, options, apsw.SQLITE_OPEN_READONLY)
    connection.pragma("query_only", 1)
    return connection


def _open(path: Path, options: SqliteOptions, flags: int) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags, options.vfs, options.statement_cache)
    connection.set_busy_timeout(int(options.busy_timeout * 1000))  # the first statement reads the file already
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.pragma("cache_size", -options.cache_kib)
    return connection
