"""Values of the backend itself, kept by name in `_params` as JSON text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Row, Transaction, Value
from undercroft.dates import now

OVERWRITES: Final = "overwrites"
"""The parameter that says that whatever was ever deleted or replaced in this database was overwritten."""
Run = Callable[[str, Sequence[Value]], Awaitable[list[Row]]]
"""`Engine.read` or `Transaction.run`."""


async def load_param(run: Run, dialect: Dialect, name: str) -> Any:
    """The value under a name, or None."""
    rows = await run(f'SELECT "value" FROM "_params" WHERE "id" = {dialect.placeholder(1)}', [name])
    return msgspec.json.decode(str(rows[0][0])) if rows else None


async def save_param(tx: Transaction, dialect: Dialect, name: str, value: Any) -> None:
    """Keep a value under a name, instead of what was there."""
    await delete_param(tx, dialect, name)
    places = ", ".join(dialect.placeholder(n) for n in range(1, 5))
    moment = now()
    text = msgspec.json.encode(value).decode()
    await tx.run(
        f'INSERT INTO "_params" ("id", "value", "created", "updated") VALUES ({places})', [name, text, moment, moment]
    )


async def delete_param(tx: Transaction, dialect: Dialect, name: str) -> bool:
    """Forget the value under a name; whether there was one."""
    return bool(await tx.run(f'DELETE FROM "_params" WHERE "id" = {dialect.placeholder(1)} RETURNING "id"', [name]))
