"""Steps of the data format for files that are encrypted."""

from __future__ import annotations

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction

_NAME_TYPE = "TEXT PRIMARY KEY NOT NULL"
_COUNT_TYPE = "BIGINT NOT NULL DEFAULT 0"


async def keep_sealed_files(tx: Transaction, dialect: Dialect) -> None:
    """The keys of encrypted files, and of uploads that arrive encrypted; how far files are that turn."""
    text = dialect.column_type("text")
    names = ", ".join(f'"{name}" {text}' for name in ("collection", "version", "header", "wrapped"))
    counts = f'"key_id" {_COUNT_TYPE}, "size" {_COUNT_TYPE}'
    await tx.run(f'CREATE TABLE "_sealed_files" ("key" {_NAME_TYPE}, {names}, {counts})')
    await tx.run('CREATE INDEX "_sealed_files_of" ON "_sealed_files" ("collection", "key")')
    await tx.run('CREATE INDEX "_sealed_files_under" ON "_sealed_files" ("collection", "key_id")')
    await tx.run(f'ALTER TABLE "_uploads" ADD COLUMN "key" {text}')
    names = ", ".join(f'"{name}" {text}' for name in ("wanted", "state", "note"))
    counts = ", ".join(f'"{name}" {_COUNT_TYPE}' for name in ("total", "done"))
    date = dialect.column_type("date")
    await tx.run(f'CREATE TABLE "_file_turns" ("collection" {_NAME_TYPE}, {names}, {counts}, "updated" {date})')
