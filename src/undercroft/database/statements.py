"""Plain statements about rows of the house's own tables: names are the house's, values are bound."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Row, Transaction, Value

Run = Callable[[str, Sequence[Value]], Awaitable[list[Row]]]
"""`Engine.read` or `Transaction.run`."""
WAYS_IN: Final = ("_sessions", "_tickets", "_passkeys", "_api_keys")
"""Tables of what opens an account by itself, by the names `collection` and `record`."""
OF_ACCOUNTS: Final = (*WAYS_IN, "_totp", "_recovery_codes", "_blocks")
"""Tables that tell of accounts by these names."""


async def insert_row(tx: Transaction, dialect: Dialect, table: str, values: Mapping[str, Value]) -> bool:
    """Put a row into a table; False, and nothing is changed, where a unique index knows one like it."""
    names = ", ".join(dialect.quote(name) for name in values)
    marks = ", ".join(dialect.placeholder(n) for n, _ in enumerate(values, 1))
    sql = f"INSERT INTO {dialect.quote(table)} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING RETURNING 1"
    return bool(await tx.run(sql, list(values.values())))


async def delete_rows(run: Run, dialect: Dialect, table: str, where: Mapping[str, Value]) -> int:
    """Delete the rows with these values; how many there were."""
    sql = f"DELETE FROM {dialect.quote(table)} WHERE {equal(dialect, where)} RETURNING 1"
    return len(await run(sql, list(where.values())))


async def forget_ways_in(run: Run, dialect: Dialect, collection_id: str, record_id: str) -> None:
    """Delete what opens an account, which stays; so does what keeps people out: a block, and a second factor."""
    for table in WAYS_IN:
        await delete_rows(run, dialect, table, {"collection": collection_id, "record": record_id})


async def forget_account(run: Run, dialect: Dialect, collection_id: str, record_id: str | None = None) -> None:
    """Delete what the house's own tables tell of an account that is gone, or of all accounts of a collection."""
    where = {"collection": collection_id} | ({} if record_id is None else {"record": record_id})
    for table in OF_ACCOUNTS:
        await delete_rows(run, dialect, table, where)


def equal(dialect: Dialect, names: Mapping[str, Value] | Sequence[str], first: int = 1) -> str:
    """A condition: the columns of these names equal bound values, of which the first stands at a position."""
    return " AND ".join(f"{dialect.quote(name)} = {dialect.placeholder(n)}" for n, name in enumerate(names, first))
