"""A process that wants to lead, for tests: `python leading.py DATABASE OWNER SECONDS`. Whoever leads signs a table."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.database.leader import Duty, Leader
from undercroft.database.lease import Lease
from undercroft.database.postgresql import PostgresEngine
from undercroft.database.sqlite import SqliteEngine


async def lead(engine: Engine, owner: str, seconds: float) -> None:
    """Lead whenever nobody else does, and sign as often as possible meanwhile."""
    has_signed = False

    async def is_needed(_: Engine) -> bool:
        nonlocal has_signed
        has_signed = not has_signed
        return has_signed

    async def sign(tx: Transaction, dialect: Dialect) -> None:
        sql = f"""INSERT INTO "signed" ("owner", "turn", "at")
            SELECT {dialect.placeholder(1)}, "turn", {dialect.clock()} FROM "_leases\""""
        await tx.run(sql, (owner,))

    lease = Lease(engine, "leader", owner, seconds)
    await Leader(engine, lease, [Duty("sign", 0.0, is_needed, sign)]).run()


async def main(database: str, owner: str, seconds: str) -> None:
    """Join those who want to lead on a database: a URL of PostgreSQL, or a file."""
    if database.startswith("postgresql:"):
        await lead(await PostgresEngine.open(database), owner, float(seconds))
    else:
        await lead(await SqliteEngine.open(Path(database)), owner, float(seconds))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
