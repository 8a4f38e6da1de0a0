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
    await _create(tx, dialect, "_answers", columns)
    await tx.run('CREATE INDEX "_answers_until" ON "_answers" ("until")')


async def _create(tx: Transaction, dialect: Dialect, table: str, columns: Mapping[str, str]) -> None:
    spelled = ", ".join(f"{dialect.quote(name)} {kind}" for name, kind in columns.items())
    await tx.run(f"CREATE TABLE {dialect.quote(table)} ({spelled})")
