"""Rations: how often something may be done for somebody in a while, counted in the database for all processes.

What is counted has a key that tells nothing to who reads the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction

_AT_ONCE: Final = 1000
_ENDED: Final = """"until" <= {clock}"""


@dataclass(frozen=True, slots=True)
class Ration:
    """How often something was done, and in how many seconds that is forgotten."""

    count: int
    seconds: float

    @property
    def wait(self) -> int:
        """The seconds, as an answer tells them."""
        return max(1, ceil(self.seconds))


def ration_key(*parts: str) -> str:
    """The key of what is rationed: what is done, and for whom."""
    return sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()


async def take_ration(tx: Transaction, dialect: Dialect, key: str, seconds: float) -> Ration:
    """How often it was done by now, this time included, since the first time; that is forgotten after some seconds."""
    clock, mark = dialect.clock(), dialect.placeholder
    has_ended = f'"_rations"."until" <= {clock}'
    sql = f"""INSERT INTO "_rations" ("key", "count", "until") VALUES ({mark(1)}, 1, {clock} + {mark(2, "number")})
        ON CONFLICT ("key") DO UPDATE SET
        "count" = CASE WHEN {has_ended} THEN 1 ELSE "_rations"."count" + 1 END,
        "until" = CASE WHEN {has_ended} THEN {clock} + {mark(3, "number")} ELSE "_rations"."until" END
        RETURNING "count", "until" - {clock}"""
    rows = await tx.run(sql, (key, seconds, seconds))
    return Ration(int(rows[0][0] or 0), float(rows[0][1] or 0))


async def load_rations(engine: Engine, keys: Sequence[str]) -> Mapping[str, Ration]:
    """How often what has these keys was done by now; what was not is not in it."""
    clock, marks = engine.dialect.clock(), ", ".join(engine.dialect.placeholder(n + 1) for n in range(len(keys)))
    sql = f"""SELECT "key", "count", "until" - {clock} FROM "_rations"
        WHERE "key" IN ({marks}) AND "until" > {clock} AND "count" > 0"""
    return {str(key): Ration(int(n or 0), float(left or 0)) for key, n, left in await engine.read(sql, keys)}


async def give_back_ration(tx: Transaction, dialect: Dialect, key: str) -> None:
    """Do not count one of the times after all."""
    sql = f'UPDATE "_rations" SET "count" = "count" - 1 WHERE "key" = {dialect.placeholder(1)} AND "count" > 0'
    await tx.run(sql, (key,))


async def remember(tx: Transaction, dialect: Dialect, key: str, seconds: float) -> None:
    """Have something done once, and forgotten after some seconds from now."""
    clock, mark = dialect.clock(), dialect.placeholder
    sql = f"""INSERT INTO "_rations" ("key", "count", "until") VALUES ({mark(1)}, 1, {clock} + {mark(2, "number")})
        ON CONFLICT ("key") DO UPDATE SET "count" = 1, "until" = excluded."until\""""
    await tx.run(sql, (key, seconds))


async def has_old_rations(engine: Engine) -> bool:
    """Whether there are counts that count no more."""
    test = _ENDED.format(clock=engine.dialect.clock())
    return bool(await engine.read(f'SELECT 1 FROM "_rations" WHERE {test} LIMIT 1'))


async def forget_old_rations(tx: Transaction, dialect: Dialect) -> None:
    """Forget counts that count no more, not too many at once."""
    old = f'SELECT "key" FROM "_rations" WHERE {_ENDED.format(clock=dialect.clock())} LIMIT {_AT_ONCE}'
    await tx.run(f'DELETE FROM "_rations" WHERE "key" IN ({old})')
