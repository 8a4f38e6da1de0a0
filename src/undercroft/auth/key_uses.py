"""When and from where API keys were last used: noted in memory, and written beside all requests.

Of a key it is written once a minute at most, by whichever process gets to it; so what is written may be a minute
off, and what the last moments before a crash brought is not known. Nobody waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Final

from undercroft.database.engine import Engine, Transaction
from undercroft.errors import Problem

SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 5.0
_LONGEST: Final = 255
_log = logging.getLogger("undercroft")


@dataclass(frozen=True, slots=True)
class Use:
    """When a key was used, in seconds since 1970, and from which address."""

    moment: float
    address: str


class KeyUses:
    """The uses that this process has seen and not yet written."""

    def __init__(self) -> None:
        self._noted: dict[str, Use] = {}
        self._tried: dict[str, float] = {}

    def note(self, key_id: str, address: str) -> None:
        """A key was used just now."""
        self._noted[key_id] = Use(time.time(), address[:_LONGEST])

    async def keep_writing(self, engine: Engine) -> None:
        """Write what is due again and again, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.write(engine)

    async def write(self, engine: Engine, *, is_last: bool = False) -> None:
        """Write the uses of keys that nobody has written for a minute; the last time, whatever was tried before."""
        moment = time.time()
        self._tried = {key: at for key, at in self._tried.items() if at > moment - SECONDS}
        due = {key: use for key, use in self._noted.items() if is_last or key not in self._tried}
        if not due:
            return
        try:
            await engine.write(lambda tx: _write(tx, engine, due))
        except Problem as problem:
            _log.debug("When keys were last used is written later: %s", problem)
            return
        self._tried |= dict.fromkeys(due, moment)
        self._noted = {key: use for key, use in self._noted.items() if use != due.get(key)}


async def _write(tx: Transaction, engine: Engine, due: dict[str, Use]) -> None:
    mark = engine.dialect.placeholder
    sql = f"""UPDATE "_api_keys" SET "used" = {mark(1)}, "address" = {mark(2)}
        WHERE "id" = {mark(3)} AND "used" <= {mark(4)}"""
    for key_id, use in due.items():
        await tx.run(sql, [use.moment, use.address, key_id, use.moment - SECONDS])
