"""Steps of the data format for work that outlives its request: answers that are kept, jobs, webhooks."""

from __future__ import annotations

from collections.abc import Mapping

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction

_NAME_TYPE = "TEXT PRIMARY KEY NOT NULL"
_COUNT_TYPE = "BIGINT NOT NULL DEFAULT 0"


async def keep_answers(tx: Transaction, dialect: Dialect) -> None:
    """Answers to writes that carried a key."""
    text, number = dialect.column_type("text"), dialect.column_type("number")
    columns = {"key": _NAME_TYPE, "fingerprint": text, "number": _COUNT_TYPE, "body": text, "until": number}
    await create_table(tx, dialect, "_answers", columns)
    await tx.run('CREATE INDEX "_answers_until" ON "_answers" ("until")')


async def keep_jobs(tx: Transaction, dialect: Dialect) -> None:
    """Jobs that wait, and when each cron was last due."""
    text, number, date = (dialect.column_type(kind) for kind in ("text", "number", "date"))
    texts = dict.fromkeys(("name", "arguments", "state", "note"), text)
    numbers = {"due": number, "progress": number, "attempts": _COUNT_TYPE, "tries": _COUNT_TYPE}
    await create_table(tx, dialect, "_jobs", {"id": _NAME_TYPE, **texts, **numbers, "created": date, "updated": date})
    await tx.run('CREATE INDEX "_jobs_due" ON "_jobs" ("state", "due")')
    await create_table(tx, dialect, "_crons", {"name": _NAME_TYPE, "last": number})


async def create_table(tx: Transaction, dialect: Dialect, table: str, columns: Mapping[str, str]) -> None:
    """Make a table of these columns, each with its type."""
    spelled = ", ".join(f"{dialect.quote(name)} {kind}" for name, kind in columns.items())
    await tx.run(f"CREATE TABLE {dialect.quote(table)} ({spelled})")
