"""What is done with the keys of a set after it was made: each step in one transaction, told to all, written down."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from undercroft.database.changes import Change, append_change
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.database.positions import hold_position
from undercroft.encryption import lifecycle
from undercroft.encryption.failures import KeyNotMoved
from undercroft.encryption.keyset import Algorithm, Key, KeySet, Purpose
from undercroft.errors import Conflict
from undercroft.keys.audit import SERVER, AuditEvent, Entry, append_entry
from undercroft.keys.making import KIND
from undercroft.keys.ring import Keyring, Promotion, UnknownKeySet
from undercroft.keys.rows import insert_key, load_scopes, open_sets, table_of, update_keys
from undercroft.keys.text_columns import count_texts

KEEP_DAYS: Final = 30
_DAY: Final = 86_400.0


class StillWanted(Conflict):
    """A key is to be destroyed that backups may still need."""

    code = "key_still_wanted"


@dataclass(frozen=True, slots=True)
class SetOf:
    """A set of keys in a database, and who changes it."""

    engine: Engine
    keyring: Keyring
    purpose: Purpose
    scope: str
    actor: str = SERVER

    @property
    def dialect(self) -> Dialect:
        """How the database spells SQL."""
        return self.engine.dialect

    def entry(self, event: AuditEvent, key_id: int = 0) -> Entry:
        """An entry of the audit log about it."""
        return Entry(event, self.purpose, self.scope, key_id, self.actor)

    async def load(self, tx: Transaction) -> KeySet:
        """The set as it is stored, which nobody else changes until the transaction ends. Raises `UnknownKeySet`."""
        await hold_position(tx, self.dialect, KIND)
        rows = await load_scopes(tx.run, self.dialect, self.purpose, [self.scope])
        found = next(open_sets(rows, self.keyring.root_key), None)
        if found is None:
            raise UnknownKeySet(self.purpose, [self.scope])
        return found

    async def tell(self, tx: Transaction, *entries: Entry) -> None:
        """Let the other processes know that keys were changed, and write down how."""
        await append_change(tx, self.dialect, Change(KIND, "", "", "update"))
        for entry in entries:
            await append_entry(tx, self.dialect, entry)


async def add_key(keys: SetOf, algorithm: Algorithm | None = None) -> Key:
    """A pending key of the set: the one that it has, or a new one, of the primary one's algorithm if none is named.

    Raises `UnknownKeySet` and `KeysUnavailable`.
    """

    async def operation(tx: Transaction) -> Key:
        return await add_key_within(tx, keys, algorithm)

    key = await keys.engine.write(operation, alone=True)
    await keys.keyring.refresh()
    return key


async def add_key_within(tx: Transaction, keys: SetOf, algorithm: Algorithm | None = None) -> Key:
    """The same, in a transaction."""
    held = await keys.load(tx)
    wanted = algorithm or held.primary.algorithm
    waiting = next((key for key in held.keys if key.state == "pending" and key.algorithm == wanted), None)
    if waiting is not None:
        return waiting
    after, key = lifecycle.add(held, wanted)
    await insert_key(tx, keys.dialect, after, key, keys.keyring.root_key)
    await keys.tell(tx, keys.entry("key_created", key.id), keys.entry("rotation_started", key.id))
    return key


async def promote_key(keys: SetOf, key_id: int) -> None:
    """Seal with another key of the set from now on. Raises `KeyNotMoved` and `UnknownKeySet`."""

    async def operation(tx: Transaction) -> None:
        await promote_within(tx, keys, key_id)

    await keys.engine.write(operation, alone=True)
    await keys.keyring.refresh()


async def promote_within(tx: Transaction, keys: SetOf, key_id: int) -> None:
    """The same, in a transaction, with what is to be done in it for those who wait for promotions."""
    before = await keys.load(tx)
    after = lifecycle.promote(before, key_id)
    await update_keys(tx, keys.dialect, before, after)
    await keys.tell(tx, keys.entry("key_promoted", key_id), keys.entry("rotation_ended", key_id))
    for also in keys.keyring.on_promotion:
        await also(tx, Promotion(keys.purpose, keys.scope, before.primary_id, key_id))


async def enable_key(keys: SetOf, key_id: int) -> None:
    """Have what a disabled key sealed open again. Raises `KeyNotMoved` and `UnknownKeySet`."""
    await _step(keys, "key_enabled", key_id, lifecycle.enable)


async def disable_key(keys: SetOf, key_id: int, *, keep_days: float = KEEP_DAYS) -> None:
    """Keep shut what a key sealed; it is not to be destroyed for some days. Raises `KeyNotMoved`, `UnknownKeySet`.

    A key of the system stays enabled while any text is under it: what it sealed is what a server needs at its start.
    """
    sql = f"""UPDATE "{table_of(keys.purpose)}" SET "destroy_after" = {keys.dialect.placeholder(1, "number")}
        WHERE {_is_key(keys.dialect, 2)}"""

    async def note(tx: Transaction) -> None:
        left = await count_texts(tx.run, keys.dialect, key_id) if keys.purpose == "system" else 0
        if left:
            raise KeyNotMoved(
                key_id,
                f"has sealed {left} texts that the server itself needs, so it stays enabled: once another key seals, "
                "they are sealed anew while a server runs, and `undercroft keys work` shows how far that is",
            )
        await tx.run(sql, (int(time.time()) + keep_days * _DAY, keys.purpose, keys.scope, key_id))

    await _step(keys, "key_disabled", key_id, lifecycle.disable, note)


async def destroy_key(keys: SetOf, key_id: int, *, is_early: bool = False) -> None:
    """Destroy a disabled key: what it sealed opens never again, but from backups that have the key.

    Raises `StillWanted` before its days are over, unless it `is_early` on purpose; `KeyNotMoved`, `UnknownKeySet`.
    """
    sql = f"""SELECT "destroy_after" FROM "{table_of(keys.purpose)}" WHERE {_is_key(keys.dialect, 1)}
        AND "state" = 'disabled' AND "destroy_after" > {keys.dialect.clock()}"""

    async def check(tx: Transaction) -> None:
        waiting = await tx.run(sql, (keys.purpose, keys.scope, key_id))
        if waiting and not is_early:
            day = time.strftime("%Y-%m-%d", time.gmtime(float(waiting[0][0] or 0)))
            raise StillWanted(f"The key {key_id} is kept until {day}, for backups that were made with it.")

    await _step(keys, "key_destroyed", key_id, lifecycle.destroy, check)


async def _step(
    keys: SetOf,
    event: AuditEvent,
    key_id: int,
    change: Callable[[KeySet, int], KeySet],
    also: Callable[[Transaction], Awaitable[None]] | None = None,
) -> None:
    async def operation(tx: Transaction) -> None:
        before = await keys.load(tx)
        after = change(before, key_id)
        if also is not None:
            await also(tx)
        await update_keys(tx, keys.dialect, before, after)
        await keys.tell(tx, keys.entry(event, key_id))

    await keys.engine.write(operation, alone=True)
    await keys.keyring.refresh()


def _is_key(dialect: Dialect, first: int) -> str:
    names = ("purpose", "scope", "key_id")
    return " AND ".join(f'"{name}" = {dialect.placeholder(first + at)}' for at, name in enumerate(names))
