"""Looking after a queue: how much is in it, and what is forgotten."""

from __future__ import annotations

from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.database.queue import Queue
from undercroft.dates import moment_ago

_AT_ONCE: Final = 1000


async def count_states(engine: Engine, queue: Queue, name: str = "") -> dict[str, int]:
    """How many rows are in each state; of jobs, those of one name may be asked for."""
    which = f'WHERE "name" = {engine.dialect.placeholder(1)}' if name else ""
    sql = f'SELECT "state", count(*) FROM "{queue.table}" {which} GROUP BY "state"'
    rows = await engine.read(sql, (name,) if name else ())
    return {str(state): int(count or 0) for state, count in rows}


async def has_old(engine: Engine, queue: Queue) -> bool:
    """Whether there are rows that are over, and were kept for long enough."""
    old = _is_old(engine.dialect, queue)
    return bool(await engine.read(f'SELECT 1 FROM "{queue.table}" WHERE {old} LIMIT 1', _limits(queue)))


async def forget_old(tx: Transaction, dialect: Dialect, queue: Queue) -> None:
    """Forget such rows; not too many at once."""
    old = f'SELECT "id" FROM "{queue.table}" WHERE {_is_old(dialect, queue)} LIMIT {_AT_ONCE}'
    await tx.run(f'DELETE FROM "{queue.table}" WHERE "id" IN ({old})', _limits(queue))


def _is_old(dialect: Dialect, queue: Queue) -> str:
    parts = (
        f"""("state" = '{state}' AND "updated" < {dialect.placeholder(number, "date")})"""
        for number, state in enumerate(queue.kept, start=1)
    )
    return " OR ".join(parts)


def _limits(queue: Queue) -> list[str]:
    return [moment_ago(days * 86_400) for days in queue.kept.values()]
