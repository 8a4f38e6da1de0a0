"""Rations: how often something may be done for somebody in a while, counted in the database for all processes.

What is counted has a key that tells nothing to who reads the table.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction

_AT_ONCE: Final = 1000
_ENDED: Final = """"until" < {clock}"""


def ration_key(*parts: str) -> str:
    """The key of what is rationed: what is done, and for whom."""
    return sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()


async def take_ration(tx: Transaction, dialect: Dialect, key: str, seconds: float) -> int:
    """How often it was done by now, this time included, since the first time; that is forgotten after some seconds."""
    clock, mark = dialect.clock(), dialect.placeholder
    has_ended = f'"_rations"."until" <= {clock}'
    sql = f"""INSERT INTO "_rations" ("key", "count", "until") VALUES ({mark(1)}, 1, {clock} + {mark(2, "number")})
        ON CONFLICT ("key") DO UPDATE SET
        "count" = CASE WHEN {has_ended} THEN 1 ELSE "_rations"."count" + 1 END,
        "until" = CASE WHEN {has_ended} THEN {clock} + {mark(3, "number")} ELSE "_rations"."until" END
        RETURNING "count\""""
    rows = await tx.run(sql, (key, seconds, seconds))
    return int(rows[0][0] or 0)


async def has_old_rations(engine: Engine) -> bool:
    """Whether there are counts that count no more."""
    test = _ENDED.format(clock=engine.dialect.clock())
    return bool(await engine.read(f'SELECT 1 FROM "_rations" WHERE {test} LIMIT 1'))


async def forget_old_rations(tx: Transaction, dialect: Dialect) -> None:
    """Forget counts that count no more, not too many at once."""
    old = f'SELECT "key" FROM "_rations" WHERE {_ENDED.format(clock=dialect.clock())} LIMIT {_AT_ONCE}'
    await tx.run(f'DELETE FROM "_rations" WHERE "key" IN ({old})')
