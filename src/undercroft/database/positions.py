"""Where in the change log the newest entries about collections, settings, keys and credentials stand.

A row each, held from before the entry is written until the commit. So two who change
collections at once go one after the other, whichever process they are in, and positions
grow in the order of commits, which the ids of the whole log do not where several write
at once. Who reads these rows misses no change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Row, Transaction, Value

Read = Callable[[str, Sequence[Value]], Awaitable[list[Row]]]
"""`Engine.read` or `Transaction.run`."""


async def load_positions(read: Read) -> dict[str, int]:
    """The position of the newest entry of each kind; 0 when there is none."""
    rows = await read('SELECT "kind", "position" FROM "_positions"', ())
    return {str(kind): int(position or 0) for kind, position in rows}


async def hold_position(tx: Transaction, dialect: Dialect, kind: str) -> None:
    """Let nobody else change what is of this kind until the transaction ends."""
    sql = f'UPDATE "_positions" SET "position" = "position" WHERE "kind" = {dialect.placeholder(1)}'
    await tx.run(sql, (kind,))


async def save_position(tx: Transaction, dialect: Dialect, kind: str, position: int) -> None:
    """Write down where the newest entry stands."""
    places = [dialect.placeholder(number) for number in (1, 2)]
    sql = f'UPDATE "_positions" SET "position" = {places[0]} WHERE "kind" = {places[1]}'
    await tx.run(sql, (position, kind))
