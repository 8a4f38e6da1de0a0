"""How often keys have sealed: counted in memory, written down now and then, and what follows from it.

AES-GCM with random nonces is safe for 2³² messages a key. A quarter of that is told of,
and at half of it the key is turned by itself, in two steps: a new key is added, and
once every process has it, it seals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.database.leader import Duty
from undercroft.database.positions import Read, load_positions
from undercroft.encryption.keyset import Purpose
from undercroft.encryption.lifecycle import ROTATE_AT, WARN_AT
from undercroft.keys.audit import Entry, append_entry
from undercroft.keys.changing import SetOf, add_key_within, promote_within
from undercroft.keys.holders import list_holders
from undercroft.keys.making import KIND
from undercroft.keys.ring import Keyring
from undercroft.keys.rows import table_of

_EVERY: Final = 30.0
_SEALING: Final = """FROM "_keys" AS k WHERE "state" = 'enabled' AND "is_primary" = 1
    AND "algorithm" IN ('AES256_GCM', 'AES256_GCM_SIV') AND "uses" >="""
_OF_THE_SAME: Final = '"purpose" = k."purpose" AND o."scope" = k."scope"'
_HAS_PENDING: Final = f"""EXISTS (SELECT 1 FROM "_keys" AS o WHERE o.{_OF_THE_SAME} AND o."state" = 'pending')"""
_IS_TOLD: Final = f"""EXISTS (SELECT 1 FROM "_key_audit" AS o WHERE o.{_OF_THE_SAME} AND o."key_id" = k."key_id"
    AND o."event" = 'many_uses')"""


async def save_counts(engine: Engine, counts: Mapping[tuple[str, str], int]) -> None:
    """Add what was counted to what is written down."""
    mark = engine.dialect.placeholder

    async def add(tx: Transaction) -> None:
        for (purpose, scope), uses in counts.items():
            sql = f"""UPDATE "{table_of(purpose)}" SET "uses" = "uses" + {mark(1)} WHERE "purpose" = {mark(2)}
                AND "scope" = {mark(3)} AND "is_primary" = 1"""
            await tx.run(sql, (uses, purpose, scope))

    await engine.write(add)


class Counting:
    """What one process does for all about keys that have sealed much."""

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        self._engine = engine
        self._keyring = keyring
        self.duties: Final = (
            Duty("tell of keys that sealed much", _EVERY, self._has_untold, self._tell_one),
            Duty("turn keys that sealed too much", _EVERY, self._has_worn, self._begin_one),
            Duty("seal with keys that took their place", _EVERY, self._has_spread, self._end_one),
        )

    async def _has_untold(self, engine: Engine) -> bool:
        return bool(await _find(engine.read, WARN_AT, f"NOT {_IS_TOLD}"))

    async def _tell_one(self, tx: Transaction, dialect: Dialect) -> None:
        for purpose, scope, key_id, uses in await _find(tx.run, WARN_AT, f"NOT {_IS_TOLD}"):
            detail = {"uses": uses, "turned at": ROTATE_AT}
            await append_entry(tx, dialect, Entry("many_uses", purpose, scope, key_id, detail=detail))

    async def _has_worn(self, engine: Engine) -> bool:
        return not self._keyring.is_locked and bool(await _find(engine.read, ROTATE_AT, f"NOT {_HAS_PENDING}"))

    async def _begin_one(self, tx: Transaction, dialect: Dialect) -> None:
        del dialect
        for purpose, scope, _, _ in await _find(tx.run, ROTATE_AT, f"NOT {_HAS_PENDING}"):
            await add_key_within(tx, SetOf(self._engine, self._keyring, purpose, scope))

    async def _has_spread(self, engine: Engine) -> bool:
        """Whether there is a key that took the place of one, and every process has it."""
        if self._keyring.is_locked or not await _find(engine.read, ROTATE_AT, _HAS_PENDING):
            return False
        newest = (await load_positions(engine.read))[KIND]
        return all(holder.revision >= newest for holder in await list_holders(engine))

    async def _end_one(self, tx: Transaction, dialect: Dialect) -> None:
        del dialect
        for purpose, scope, _, _ in await _find(tx.run, ROTATE_AT, _HAS_PENDING):
            keys = SetOf(self._engine, self._keyring, purpose, scope)
            waiting = next((key for key in (await keys.load(tx)).keys if key.state == "pending"), None)
            if waiting is not None:
                await promote_within(tx, keys, waiting.id)


async def _find(read: Read, uses: int, condition: str) -> list[tuple[Purpose, str, int, int]]:
    """The first set whose primary key has sealed so many, and of which a condition holds."""
    names = '"purpose", "scope", "key_id", "uses"'
    rows = await read(f'SELECT {names} {_SEALING} {uses} AND {condition} ORDER BY "purpose", "scope" LIMIT 1', ())
    # The column holds purposes alone.
    return [(purpose, str(scope), int(key or 0), int(count or 0)) for purpose, scope, key, count in rows]  # type: ignore[misc]
